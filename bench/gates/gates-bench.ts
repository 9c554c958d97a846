/**
 * What a qualification costs on its way through all gates, and what a change costs, with few
 * campaigns and with many: both must follow what is touched, not what is defined.
 */
import { createHash } from 'node:crypto';
import type { Findings, Measure } from '../harness/report.ts';
import { type ChangesRun, runChanges, runShared } from './changes-run.ts';
import { type GatesRun, runGates } from './gates-run.ts';

export interface GatesOptions {
  readonly campaigns: number;
  readonly events: number;
  readonly users: number;
  readonly changes: number;
  readonly seed: number;
}

const FEW = 10;
const SHARED = 1_000;
/** Of a campaign that is touched, many against few. */
const SHARED_TIMES_MAX = 1.5;
const US_NS = 1_000;
const MS_NS = 1_000_000;

export function benchGates(options: GatesOptions): Findings {
  const { campaigns, changes, events } = options;
  const middle = Math.min(1_000, campaigns);
  const sizes = [...new Set([Math.min(FEW, campaigns), middle, campaigns])];
  const gates = sizes.map((size) => runGates(size, options));
  const few = runChanges(Math.min(FEW, campaigns), changes);
  const many = runChanges(campaigns, changes);
  const touches = 10 * events;
  const [sharedFew, sharedMany] = [
    runShared(FEW, touches),
    runShared(Math.min(SHARED, campaigns), touches),
  ];
  const hash = createHash('sha256');
  for (const one of [...gates, few, many]) hash.update(one.hash);
  return {
    measures: [
      ...gates.flatMap(gateMeasures),
      ...changeMeasures(few, undefined),
      ...changeMeasures(many, few),
      { what: `a shared without, ${FEW} campaigns`, value: sharedFew, unit: 'ns a campaign' },
      {
        what: `a shared without, ${Math.min(SHARED, campaigns)} campaigns`,
        value: sharedMany,
        unit: 'ns a campaign',
        aim: { atMost: SHARED_TIMES_MAX * sharedFew },
        limit: { what: `${FEW} campaigns`, value: sharedFew },
      },
    ],
    outputHash: hash.digest('hex').slice(0, 16),
    notes: [
      ...gates.map(
        (run) =>
          `${run.campaigns} campaigns: ${run.qualifications} qualifications of ${events} events, ${run.deliveries} deliveries.`,
      ),
      'Times are processor time of the process: one partition, no log, one thread.',
    ],
  };
}

function gateMeasures(run: GatesRun): Measure[] {
  return [
    {
      what: `through all gates, ${run.campaigns} campaigns`,
      value: run.qualificationNs,
      unit: 'ns a qualification',
      limit: { what: 'a loop that only decodes an event', value: run.decodeNs },
    },
    { what: '  an event, with its share of timers', value: run.eventNs, unit: 'ns' },
  ];
}

function changeMeasures(run: ChangesRun, few: ChangesRun | undefined): Measure[] {
  const of = `${run.campaigns} campaigns`;
  const versus = (value: number | undefined) =>
    few === undefined ? {} : { limit: { what: `${few.campaigns} campaigns`, value: value! } };
  return [
    {
      what: `an edit and the next event, ${of}`,
      value: run.editNs / US_NS,
      unit: 'µs',
      ...versus(few && few.editNs / US_NS),
    },
    {
      what: `closing the last window of an edited rule, ${of}`,
      value: run.closeNs / US_NS,
      unit: 'µs',
      ...versus(few && few.closeNs / US_NS),
    },
    {
      what: `a join of a user with one window, ${of}`,
      value: run.joinNs / US_NS,
      unit: 'µs',
      ...versus(few && few.joinNs / US_NS),
    },
    { what: `new definitions, first partition, ${of}`, value: run.defineNs / MS_NS, unit: 'ms' },
    { what: `new definitions, the next, ${of}`, value: run.defineAgainNs / MS_NS, unit: 'ms' },
  ];
}
