import { setTimeout as delay } from 'node:timers/promises';
import { loadConfiguration } from '../../../config/definitions/definitions.ts';
import { userError } from '../../../engine/errors/errors.ts';
import { describeGraph, type GraphDescription } from '../../../operators/graph/describe.ts';
import { type EdgeRate, graphMermaid, graphText } from '../../../operators/graph/print.ts';
import { CampaignBook } from '../../../operators/router/campaign-book.ts';
import { ExitCode, printJson } from '../command-line.ts';
import { ask } from '../control-client.ts';
import { serverUrl } from '../lapse-client.ts';
import { visibleText } from '../visible-text.ts';

export interface GraphOptions {
  readonly config?: readonly string[];
  readonly url?: string;
  readonly format: string;
  readonly json?: boolean;
}

const FORMATS = ['text', 'mermaid', 'json'];
/** Records per second are counted for so long. */
const COUNTING_MS = 1_000;

/** `lapse graph`: the graph of definitions, or of a running process with its rates. */
export async function graphCommand(options: GraphOptions): Promise<number> {
  const format = options.json === true ? 'json' : options.format;
  if (!FORMATS.includes(format)) {
    throw userError(
      'ERR_USAGE',
      `--format must be ${FORMATS.join(', ')}, got ${JSON.stringify(format)}`,
    );
  }
  if (options.config !== undefined) {
    print(ofDefinitions(options.config), format, undefined);
    return ExitCode.done;
  }
  const url = serverUrl(options.url, process.env);
  const before = await ofServer(url);
  const startedMs = performance.now();
  await delay(COUNTING_MS);
  const after = await ofServer(url);
  print(after, format, ratesBetween(before, after, performance.now() - startedMs));
  return ExitCode.done;
}

function ofDefinitions(paths: readonly string[]): GraphDescription {
  const { definitions } = loadConfiguration(paths, process.env, { hasPlaceholders: true });
  const book = new CampaignBook();
  book.apply(definitions, 0);
  return describeGraph(book);
}

function ofServer(url: string): Promise<GraphDescription> {
  return ask(url, '/api/graph');
}

function keyOf({ from, to, label }: GraphDescription['edges'][number]): string {
  return JSON.stringify([from, to, label ?? '']);
}

function ratesBetween(before: GraphDescription, after: GraphDescription, ms: number): EdgeRate {
  const earlier = new Map(before.edges.map((edge) => [keyOf(edge), edge.records]));
  const rates = new Map(
    after.edges.map((edge) => {
      const records = edge.records - (earlier.get(keyOf(edge)) ?? 0);
      return [keyOf(edge), (records * 1_000) / ms];
    }),
  );
  return (edge) => rates.get(keyOf(edge));
}

function print(graph: GraphDescription, format: string, rate: EdgeRate | undefined): void {
  if (format === 'json') {
    const edges = graph.edges.map((edge) => {
      const recordsPerSecond = rate?.(edge);
      return recordsPerSecond === undefined ? edge : { ...edge, recordsPerSecond };
    });
    printJson({ nodes: graph.nodes, edges });
  } else {
    const text = format === 'mermaid' ? graphMermaid(graph, rate) : graphText(graph, rate);
    process.stdout.write(`${text.split('\n').map(visibleText).join('\n')}`);
  }
}
