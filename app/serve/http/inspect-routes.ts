import type { FastifyInstance } from 'fastify';
import { sendProblem } from '../../../connectors/doors/http/http-problem.ts';
import { durationOf, HOUR_MS, instantOf } from '../../../engine/time/duration.ts';
import type { GraphDescription } from '../../../operators/graph/describe.ts';
import {
  campaignReport,
  type ReportPart,
  type ReportQuery,
} from '../../../operators/report/campaign-report.ts';

/** What a running engine says of itself. */
export interface Inspection {
  /** The dataflow graph with the records that have passed. */
  readonly graph: () => Promise<GraphDescription>;
  /** What reports have counted of a campaign, a part for each partition. */
  readonly report: (campaign: string) => Promise<readonly ReportPart[]>;
}

type Question = { from?: string; until?: string; step?: string };

/** Adds /api/graph and /api/campaigns/:id/report. */
export function addInspectRoutes(server: FastifyInstance, { graph, report }: Inspection): void {
  server.get('/api/graph', async () => graph());
  server.get<{ Params: { id: string }; Querystring: Question }>(
    '/api/campaigns/:id/report',
    async (request, reply) => {
      const query = readQuery(request.query);
      if (typeof query === 'string') {
        return sendProblem(reply, { status: 400, code: 'ERR_QUERY', detail: query });
      }
      const { id } = request.params;
      return campaignReport(id, await report(id), query);
    },
  );
}

/** @returns a sentence when something of it is wrong; undefined when no range is asked for */
function readQuery({ from, until, step }: Question): ReportQuery | undefined | string {
  if (from === undefined && until === undefined && step === undefined) return undefined;
  const fromMs = from === undefined ? 0 : instantOf(from);
  const untilMs = until === undefined ? Infinity : instantOf(until);
  const stepMs = step === undefined ? HOUR_MS : durationOf(step);
  const instant = 'an ISO 8601 instant with a zone';
  if (Number.isNaN(fromMs)) return `from must be ${instant}, got ${JSON.stringify(from)}.`;
  if (Number.isNaN(untilMs)) return `until must be ${instant}, got ${JSON.stringify(until)}.`;
  if (!(stepMs >= HOUR_MS && stepMs % HOUR_MS === 0)) {
    return `step must be a whole number of hours such as 1h or 1d, got ${JSON.stringify(step)}.`;
  }
  return { fromMs, untilMs, stepMs };
}
