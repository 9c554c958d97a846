/** The demo's words: a live view on a terminal, plain lines or NDJSON elsewhere. */

import { LAPSE_VERSION } from '../../config/definitions/version.ts';
import { formatInstant } from '../../engine/time/duration.ts';
import type { Definitions, Rule } from '../../operators/definitions.ts';
import { printJson, printLine } from '../cli/command-line.ts';
import type { Lapse } from '../serve/lapse.ts';
import type { Arrival, Arrivals } from './arrivals.ts';
import {
  ARRIVALS_SHOWN,
  arrivalLine,
  type DemoFigures,
  demoScreen,
  overviewLine,
} from './demo-screen.ts';
import { LiveView, styles } from './live-view.ts';

export interface DemoOutput {
  arrived(arrivals: readonly Arrival[]): void;
  /** It is ending, and why. */
  ending(reason: string): void;
  /** The last word. */
  end(): void;
}

export interface DemoSubject {
  readonly lapse: Lapse;
  readonly definitions: Definitions;
  readonly arrivals: Arrivals;
  /** Sentences, newest last; grows while the demo runs. */
  readonly troubles: readonly string[];
  readonly data: string;
  readonly asJson: boolean;
}

const REDRAW_INTERVAL_MS = 250;
const LINE_INTERVAL_MS = 5_000;
/** Rates are of the last few seconds, so that they settle but follow. */
const RATE_WINDOW_MS = 5_000;
const TROUBLES_SHOWN = 3;

export function demoOutput(subject: DemoSubject): DemoOutput {
  const readings = new Readings(subject);
  if (subject.asJson) return new JsonOutput(readings);
  return process.stdout.isTTY ? new LiveOutput(readings) : new PlainOutput(readings);
}

/** Puts together what is shown. */
class Readings {
  readonly #subject: DemoSubject;
  readonly #campaigns: ReadonlyMap<string, string>;
  readonly #startedMs = performance.now();
  readonly #events: { readonly atMs: number; readonly count: number }[];
  #newest: Arrival[] = [];
  /** Since the command was given: building comes before, and a stranger waits for it too. */
  firstArrivalSeconds: string | undefined;

  constructor(subject: DemoSubject) {
    this.#subject = subject;
    const { campaigns } = subject.definitions;
    this.#campaigns = new Map(campaigns.map(({ id, rule }) => [id, wordsOf(rule)]));
    this.#events = [{ atMs: this.#startedMs, count: subject.lapse.overview().events }];
  }

  get url(): string {
    return this.#subject.lapse.url;
  }

  get data(): string {
    return this.#subject.data;
  }

  get campaigns(): ReadonlyMap<string, string> {
    return this.#campaigns;
  }

  /** @returns true for the very first */
  add(arrivals: readonly Arrival[]): boolean {
    if (arrivals.length === 0) return false;
    this.#newest = [...arrivals, ...this.#newest].slice(0, ARRIVALS_SHOWN);
    const isFirst = this.firstArrivalSeconds === undefined;
    this.firstArrivalSeconds ??= (performance.now() / 1_000).toFixed(1);
    return isFirst;
  }

  figures(): DemoFigures {
    const { lapse, arrivals, troubles, data } = this.#subject;
    const overview = lapse.overview();
    return {
      version: LAPSE_VERSION,
      url: lapse.url,
      data,
      upMs: performance.now() - this.#startedMs,
      eventsPerSecond: this.#rate(overview.events),
      overview,
      latencies: lapse.triggerLatency(),
      campaigns: this.#campaigns,
      arrived: arrivals.counts,
      arrivals: this.#newest,
      troubles: troubles.slice(-TROUBLES_SHOWN),
    };
  }

  #rate(count: number): number {
    const atMs = performance.now();
    const events = this.#events;
    events.push({ atMs, count });
    while (events.length > 2 && atMs - events[1]!.atMs >= RATE_WINDOW_MS) events.shift();
    const [oldest] = events;
    const spanMs = atMs - oldest!.atMs;
    return spanMs === 0 ? 0 : ((count - oldest!.count) * 1_000) / spanMs;
  }
}

function wordsOf(rule: Rule): string {
  if (rule.kind === 'action') return `on ${rule.on.event}`;
  if (rule.kind !== 'inaction') return rule.kind;
  const without = rule.without.map(({ event }) => event).join(' or ');
  return `${rule.withinMs / 1_000} s after ${rule.did.event} without ${without}`;
}

class LiveOutput implements DemoOutput {
  readonly #readings: Readings;
  readonly #view = new LiveView(process.stdout);
  readonly #style = styles(process.env);
  readonly #timer: NodeJS.Timeout;

  constructor(readings: Readings) {
    this.#readings = readings;
    this.#draw();
    this.#timer = setInterval(() => this.#draw(), REDRAW_INTERVAL_MS);
    // A crash must not leave the terminal without a cursor.
    process.on('exit', () => this.#view.end());
  }

  arrived(arrivals: readonly Arrival[]): void {
    if (this.#readings.add(arrivals)) this.#draw();
  }

  ending(): void {
    clearInterval(this.#timer);
    this.#draw();
    printLine('\n Finishing what is under way …');
  }

  end(): void {
    printLine(` ${summaryOf(this.#readings).join('\n ')}`);
  }

  #draw(): void {
    this.#view.draw(demoScreen(this.#readings.figures(), this.#style, process.stdout.rows));
  }
}

class PlainOutput implements DemoOutput {
  readonly #readings: Readings;
  readonly #timer: NodeJS.Timeout;

  constructor(readings: Readings) {
    this.#readings = readings;
    printLine(`Lapse ${LAPSE_VERSION} demo: a made-up shop sends events to ${readings.url}.`);
    for (const [id, words] of readings.campaigns) printLine(`Campaign ${id}: ${words}.`);
    printLine(`Definitions: app/demo/demo.yaml. Data: ${readings.data}.`);
    const say = () => printLine(overviewLine(readings.figures()));
    this.#timer = setInterval(say, LINE_INTERVAL_MS);
  }

  arrived(arrivals: readonly Arrival[]): void {
    const isFirst = this.#readings.add(arrivals);
    for (const [index, arrival] of arrivals.entries()) {
      const words = arrivalLine(arrival);
      const { firstArrivalSeconds } = this.#readings;
      if (isFirst && index === 0)
        printLine(`First webhook after ${firstArrivalSeconds} s: ${words}.`);
      else printLine(`Webhook: ${words}.`);
    }
  }

  ending(reason: string): void {
    clearInterval(this.#timer);
    printLine(`Ending: ${reason}.`);
  }

  end(): void {
    printLine(summaryOf(this.#readings).join(' '));
  }
}

class JsonOutput implements DemoOutput {
  readonly #readings: Readings;
  readonly #timer: NodeJS.Timeout;

  constructor(readings: Readings) {
    this.#readings = readings;
    const { url, data } = readings;
    printJson({ type: 'started', version: LAPSE_VERSION, url, data });
    this.#timer = setInterval(() => this.#overview('overview'), LINE_INTERVAL_MS);
  }

  arrived(arrivals: readonly Arrival[]): void {
    this.#readings.add(arrivals);
    for (const { atMs, campaign, user, what, latencyMs } of arrivals) {
      const facts = { at: formatInstant(atMs), campaign, user, what, latencyMs };
      printJson({ type: 'webhook', ...facts });
    }
  }

  ending(reason: string): void {
    clearInterval(this.#timer);
    printJson({ type: 'ending', reason });
  }

  end(): void {
    this.#overview('ended');
  }

  #overview(type: string): void {
    const { overview, latencies, troubles } = this.#readings.figures();
    printJson({ type, ...overview, triggerLatency: latencies, troubles });
  }
}

/** Sentences. */
function summaryOf(readings: Readings): string[] {
  const { overview, latencies, arrivals } = readings.figures();
  const { events, delivered, failed, windowsOpen } = overview;
  const quantiles = latencies.map(
    ({ campaignId, p50Ms }) => `${campaignId} ${p50Ms.toFixed(1)} ms`,
  );
  return [
    `${events} events came in; ${delivered} webhooks were delivered, ${failed} failed.`,
    `${windowsOpen} carts were still waiting for an order.`,
    ...(arrivals.length === 0 ? [] : [`First webhook after ${readings.firstArrivalSeconds} s.`]),
    ...(quantiles.length === 0 ? [] : [`Median trigger latency: ${quantiles.join(', ')}.`]),
  ];
}
