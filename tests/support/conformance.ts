import { simulate } from '../../app/simulate/simulation.ts';
import { parseDefinitions } from '../../config/definitions/definitions.ts';
import type { EventLine } from '../../connectors/doors/file/event-lines.ts';
import { parseDuration } from '../../engine/time/duration.ts';

/** One conformance case, as its file has it; times are offsets from `BASE_MS`. */
export interface ConformanceCase {
  readonly name: string;
  readonly spec: string;
  readonly config: unknown;
  readonly events: readonly Record<string, unknown>[];
  readonly receiver?: unknown;
  readonly until?: string;
  readonly from?: string;
  readonly types: readonly string[];
  readonly expect?: readonly Record<string, unknown>[];
  readonly counts?: readonly Count[];
  readonly maxInWindow?: { where: Record<string, unknown>; window: string; max: number };
  readonly sameHeader?: { name: string; where: Record<string, unknown> };
}

interface Count {
  readonly where: Record<string, unknown>;
  readonly min?: number;
  readonly max?: number;
  readonly equals?: number;
}

export type OutputLine = Readonly<Record<string, unknown>> & { readonly at: string };

const BASE_MS = Date.parse('2026-01-05T09:00:00.000Z');
/** Everything but a qualification may come so much later than the case says. */
const SLACK_MS = 1_000;
const encoder = new TextEncoder();

function offsetMs(text: string): number {
  return text.startsWith('-') ? -parseDuration(text.slice(1)) : parseDuration(text);
}

function instant(text: string): string {
  return new Date(BASE_MS + offsetMs(text)).toISOString();
}

const IS_OFFSET = /^@-?(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;

/** Replaces `@offset` texts by instants. */
function absolute(value: unknown): unknown {
  if (typeof value === 'string') return IS_OFFSET.test(value) ? instant(value.slice(1)) : value;
  if (Array.isArray(value)) return value.map(absolute);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, absolute(one)]));
}

function textOf(event: Record<string, unknown>): string {
  if (typeof event.raw === 'string') return event.raw;
  const { at, late, ...rest } = absolute(event) as Record<string, string>;
  const receivedAt = new Date(
    BASE_MS + offsetMs(at!) + (late === undefined ? 0 : offsetMs(late)),
  ).toISOString();
  if (rest.control !== undefined) return JSON.stringify({ ...rest, receivedAt });
  const type = rest.type ?? (rest.event === undefined ? 'identify' : 'track');
  return JSON.stringify({ type, ...rest, timestamp: rest.timestamp ?? instant(at!), receivedAt });
}

async function* linesOf(events: readonly Record<string, unknown>[]): AsyncGenerator<EventLine> {
  let lineNumber = 0;
  for (const event of events) {
    yield { lineNumber: ++lineNumber, bytes: encoder.encode(textOf(event)) };
  }
}

/** Runs a case in this process. @throws DefinitionsError when its definitions are refused */
export async function runCase(one: ConformanceCase, partitionCount: number): Promise<OutputLine[]> {
  const lines: OutputLine[] = [];
  await simulate({
    definitions: parseDefinitions(absolute(one.config)),
    lines: linesOf(one.events),
    userAgent: 'Lapse/test',
    partitionCount,
    fromMs: BASE_MS + offsetMs(one.from ?? '0s'),
    receiver: { responses: absolute(one.receiver ?? []) },
    ...(one.until === undefined ? {} : { untilMs: BASE_MS + offsetMs(one.until) }),
    write: (line) => lines.push(line as OutputLine),
  });
  return lines;
}

/** True when everything that `want` has stands in `got` too. */
function isWithin(want: unknown, got: unknown): boolean {
  if (typeof want !== 'object' || want === null) return Object.is(want, got);
  if (Array.isArray(want)) {
    return (
      Array.isArray(got) && want.length === got.length && want.every((w, i) => isWithin(w, got[i]))
    );
  }
  if (typeof got !== 'object' || got === null) return false;
  return Object.entries(want).every(([key, value]) => isWithin(value, Reflect.get(got, key)));
}

interface SentRequest {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

function requestOf(line: OutputLine): SentRequest {
  return line.request as SentRequest;
}

function queryOf(line: OutputLine): Record<string, string> {
  return Object.fromEntries(new URL(requestOf(line).url).searchParams);
}

function isMatch(want: Record<string, unknown>, line: OutputLine): boolean {
  const { at, atBetween, body, bodySubset, bodyText, query, ...fields } = want;
  if (!isWithin(fields, line)) return false;
  if (bodyText !== undefined && requestOf(line).body !== bodyText) return false;
  if (query !== undefined && !isWithin(query, queryOf(line))) return false;
  const sinceBaseMs = Date.parse(line.at) - BASE_MS;
  if (typeof at === 'string') {
    const lateMs = sinceBaseMs - offsetMs(at);
    if (line.type === 'qualified' ? lateMs !== 0 : lateMs < 0 || lateMs > SLACK_MS) return false;
  }
  if (Array.isArray(atBetween)) {
    const [from, to] = atBetween.map((text) => offsetMs(String(text)));
    if (sinceBaseMs < from! || sinceBaseMs > to!) return false;
  }
  if (body === undefined && bodySubset === undefined) return true;
  const got: unknown = JSON.parse(requestOf(line).body);
  if (body === undefined) return isWithin(absolute(bodySubset), got);
  return isWithin(absolute(body), got) && isWithin(got, absolute(body));
}

/** What differs from what the case wants, as sentences; none when it passes. */
export function problemsOf(one: ConformanceCase, lines: readonly OutputLine[]): string[] {
  return [
    ...orderProblems(lines),
    ...expectProblems(one, lines),
    ...countProblems(one, lines),
    ...rateProblems(one, lines),
    ...headerProblems(one, lines),
  ];
}

function orderProblems(lines: readonly OutputLine[]): string[] {
  return lines.flatMap((line, i) =>
    i > 0 && line.at < lines[i - 1]!.at ? [`line ${i + 1} goes back in time`] : [],
  );
}

function expectProblems(one: ConformanceCase, lines: readonly OutputLine[]): string[] {
  if (one.expect === undefined) return [];
  const left = lines.filter((line) => one.types.includes(String(line.type)));
  const missing = one.expect.filter((want) => {
    const found = left.findIndex((line) => isMatch(want, line));
    if (found >= 0) left.splice(found, 1);
    return found < 0;
  });
  return [
    ...missing.map((want) => `missing ${JSON.stringify(want)}`),
    ...left.map((line) => `unwanted ${JSON.stringify(line)}`),
  ];
}

function countProblems({ counts = [] }: ConformanceCase, lines: readonly OutputLine[]): string[] {
  return counts.flatMap(({ where, min = 0, max = Infinity, equals }) => {
    const count = lines.filter((line) => isMatch(where, line)).length;
    const isRight = equals === undefined ? count >= min && count <= max : count === equals;
    return isRight ? [] : [`${count} of ${JSON.stringify(where)}`];
  });
}

function rateProblems({ maxInWindow }: ConformanceCase, lines: readonly OutputLine[]): string[] {
  if (maxInWindow === undefined) return [];
  const { where, window, max } = maxInWindow;
  const times = lines.filter((line) => isMatch(where, line)).map((line) => Date.parse(line.at));
  return times.flatMap((atMs) => {
    const count = times.filter((t) => t >= atMs && t < atMs + offsetMs(window)).length;
    return count > max ? [`${count} in ${window}, at most ${max}`] : [];
  });
}

function headerProblems({ sameHeader }: ConformanceCase, lines: readonly OutputLine[]): string[] {
  if (sameHeader === undefined) return [];
  const { name, where } = sameHeader;
  const values = new Set(
    lines.filter((line) => isMatch(where, line)).map((line) => requestOf(line).headers[name]),
  );
  return values.size === 1 && !values.has(undefined)
    ? []
    : [`${name} must be one and the same: ${[...values].join(', ')}`];
}
