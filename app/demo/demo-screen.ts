/** What the demo's terminal says, as lines; pure, so that a test can read it. */

import { visibleText } from '../cli/visible-text.ts';
import type { Overview, TriggerLatency } from '../serve/metrics/overview.ts';
import type { Arrival } from './arrivals.ts';
import type { styles } from './live-view.ts';

export interface DemoFigures {
  readonly version: string;
  readonly url: string;
  readonly data: string;
  readonly upMs: number;
  readonly eventsPerSecond: number;
  readonly overview: Overview;
  readonly latencies: readonly TriggerLatency[];
  /** Ids of the campaigns, with what makes each of them send. */
  readonly campaigns: ReadonlyMap<string, string>;
  /** Webhooks that arrived, by campaign. */
  readonly arrived: ReadonlyMap<string, number>;
  /** Newest first. */
  readonly arrivals: readonly Arrival[];
  /** Newest last; what should not have happened. */
  readonly troubles: readonly string[];
}

export const ARRIVALS_SHOWN = 8;
const ARRIVALS_SHOWN_MIN = 3;
/** Lines of the screen besides arrivals, trials and troubles, and one for the cursor. */
const OTHER_LINES = 16;
const DEFAULT_URL = 'http://127.0.0.1:8080';
const NAME_CHARS = 16;
const USER_CHARS = 16;
const LATENCY_CHARS = 8;

const whole = new Intl.NumberFormat('en-US');

/**
 * Made for 80 columns and 24 rows; a taller terminal shows more of what arrived.
 * @param rows of the terminal
 */
export function demoScreen(
  figures: DemoFigures,
  style: ReturnType<typeof styles>,
  rows: number,
): string[] {
  const { version, url, upMs, overview, eventsPerSecond, data } = figures;
  const { bold, dim } = style;
  return [
    ` ${bold(`Lapse ${version}`)}  demo at ${url}, ${clockOf(upMs)}`,
    dim(' A made-up shop sends events; webhooks go to a receiver in this process.'),
    '',
    ` events    ${right(whole.format(overview.events), 8)}   ${eventsPerSecond.toFixed(1)} a second`,
    ` waiting   ${right(whole.format(overview.windowsOpen), 8)}   carts without an order, so far`,
    ` webhooks  ${right(whole.format(overview.delivered), 8)}   delivered, ${overview.failed} failed, ${overview.pending} on their way`,
    '',
    ...campaignLines(figures, style),
    '',
    bold(' Webhooks that arrived, and how long after the event or the deadline'),
    ...arrivalLines(figures, style, rows),
    '',
    bold(' Try it, in another terminal'),
    ...trialLines(url),
    dim(` Definitions: app/demo/demo.yaml. Data: ${data}. Ctrl-C ends.`),
    ...figures.troubles.map((sentence) => style.yellow(` ${visibleText(sentence)}`)),
  ];
}

function campaignLines(
  { campaigns, latencies, arrived }: DemoFigures,
  { bold, dim }: ReturnType<typeof styles>,
): string[] {
  const head = ` ${'Campaign'.padEnd(NAME_CHARS)} ${right('arrived', 8)}   trigger latency`;
  const rows = [...campaigns].map(([id, words]) => {
    const latency = latencies.find(({ campaignId }) => campaignId === id);
    const quantiles =
      latency === undefined ? '-' : `p50 ${msOf(latency.p50Ms)}, p99 ${msOf(latency.p99Ms)}`;
    const count = whole.format(arrived.get(id) ?? 0);
    return ` ${id.padEnd(NAME_CHARS)} ${right(count, 8)}   ${quantiles.padEnd(24)} ${dim(words)}`;
  });
  return [bold(head), ...rows];
}

function arrivalLines(
  { arrivals, troubles, url }: DemoFigures,
  { dim, green }: ReturnType<typeof styles>,
  rows: number,
): string[] {
  const room = rows - OTHER_LINES - trialLines(url).length - troubles.length;
  const count = Math.max(ARRIVALS_SHOWN_MIN, Math.min(ARRIVALS_SHOWN, room));
  const lines = arrivals.slice(0, count).map((one) => {
    const latency = one.latencyMs === undefined ? 'yours' : msOf(one.latencyMs);
    const text =
      ` ${timeOf(one.atMs)}  ${padded(one.campaign, NAME_CHARS)} ` +
      `${right(latency, LATENCY_CHARS)}  ${padded(visibleText(one.user), USER_CHARS)} ` +
      visibleText(one.what);
    return one.latencyMs === undefined ? green(text) : text;
  });
  while (lines.length < count) lines.push(dim(lines.length === 0 ? ' none yet' : ''));
  return lines;
}

function trialLines(url: string): string[] {
  return [
    ...(url === DEFAULT_URL ? [] : [`   export LAPSE_URL=${url}`]),
    '   npx lapse send "Order Completed" --user you --prop total=500',
    '   npx lapse send "Added To Cart" --user you --prop cart_id=c1 --prop price=289',
    `   curl ${url}/metrics`,
  ];
}

/** A sentence part: how long the webhook took, and from when. */
export function latencyOf({ latencyMs, isAfterDeadline }: Arrival): string {
  if (latencyMs === undefined) return 'an event of yours';
  return `${msOf(latencyMs)} after ${isAfterDeadline ? 'the deadline' : 'the event'}`;
}

/** One line about where things stand, for logs and pipes. */
export function overviewLine({ upMs, overview, eventsPerSecond, latencies }: DemoFigures): string {
  const { events, windowsOpen, delivered, failed, pending } = overview;
  const quantiles = latencies.map(
    ({ campaignId, p50Ms, p99Ms }) => `${campaignId} p50 ${msOf(p50Ms)} p99 ${msOf(p99Ms)}`,
  );
  const parts = [
    `${events} events (${eventsPerSecond.toFixed(1)}/s)`,
    `${windowsOpen} windows open`,
    `webhooks: ${delivered} delivered, ${failed} failed, ${pending} pending`,
    ...(quantiles.length === 0 ? [] : [`trigger latency: ${quantiles.join(', ')}`]),
  ];
  return `${clockOf(upMs)}  ${parts.join('; ')}.`;
}

export function arrivalLine(arrival: Arrival): string {
  const { campaign, user, what } = arrival;
  const about = what === '' ? '' : ` (${what})`;
  return visibleText(`${campaign} for ${user}${about}, ${latencyOf(arrival)}`);
}

function timeOf(atMs: number): string {
  const at = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function clockOf(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function msOf(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

function right(text: string, chars: number): string {
  return text.padStart(chars);
}

function padded(text: string, chars: number): string {
  return text.length <= chars ? text.padEnd(chars) : `${text.slice(0, chars - 1)}…`;
}
