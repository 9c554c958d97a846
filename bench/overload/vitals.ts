/** Looks at the process now and then: its memory as the system counts it, and its own metrics. */
import { readFileSync } from 'node:fs';

export interface Vitals {
  /** Unix ms. */
  readonly atMs: number;
  /** Resident memory without the mapped files, and with them, bytes; 0 where /proc is missing. */
  readonly anonBytes: number;
  readonly rssBytes: number;
  readonly lagRecords: number;
  readonly lagMs: number;
  readonly intakeBytes: number;
  readonly outputsWaiting: number;
  readonly windowsOpen: number;
  readonly windowsFired: number;
  readonly events: number;
  readonly appended: number;
  /** Deliveries in memory, by webhook. */
  readonly pending: ReadonlyMap<string, number>;
  /** Deliveries that stand unread in the webhook's lane, by webhook. */
  readonly unread: ReadonlyMap<string, number>;
}

const KIB = 1_024;
/** What the healthy stream and the ticks alone leave on the way; counts are up to 250 ms old. */
const CALM_RECORDS = 500;
const CALM_BYTES = 64 * KIB;
/** Of the healthy stream's deliveries: what leaves within a second. */
const CALM_DELIVERIES = 100;

/** Nothing stands before the doors, the partitions or the lanes but the healthy stream. */
export function isCalm({ lagRecords, intakeBytes, outputsWaiting }: Vitals): boolean {
  return lagRecords < CALM_RECORDS && intakeBytes < CALM_BYTES && outputsWaiting < CALM_RECORDS;
}

/** Nothing stands in the lanes either, in memory or unread, but what the healthy stream leaves. */
export function isDrained(vitals: Vitals): boolean {
  const isEmpty = (webhook: string) =>
    waitingOf(vitals, webhook) <= (webhook === 'healthy' ? CALM_DELIVERIES : 0);
  return isCalm(vitals) && [...vitals.pending.keys()].every(isEmpty);
}

/** Deliveries of a webhook that have no outcome yet, in memory and unread. */
export function waitingOf({ pending, unread }: Vitals, webhook: string): number {
  return (pending.get(webhook) ?? 0) + (unread.get(webhook) ?? 0);
}

export class VitalsWatch {
  readonly samples: Vitals[] = [];
  readonly #url: string;
  readonly #pid: number;
  readonly #everyMs: number;
  #isStopping = false;
  #running: Promise<void> | undefined;

  constructor(url: string, pid: number, everyMs: number) {
    this.#url = url;
    this.#pid = pid;
    this.#everyMs = everyMs;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  /** Those between two instants, Unix ms. */
  between(fromMs: number, untilMs: number): Vitals[] {
    return this.samples.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs);
  }

  async look(): Promise<Vitals> {
    const text = await (await fetch(`${this.#url}/metrics`)).text();
    const value = (name: string) =>
      Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
    const byWebhook = (name: string) =>
      new Map(
        [...text.matchAll(new RegExp(`^${name}\\{webhook="([^"]+)"\\} (\\S+)$`, 'gm'))].map(
          ([, webhook, count]) => [webhook!, Number(count)] as const,
        ),
      );
    const vitals: Vitals = {
      atMs: Date.now(),
      ...memoryOf(this.#pid),
      lagRecords: value('lapse_lag_records'),
      lagMs: 1_000 * value('lapse_lag_seconds'),
      intakeBytes: value('lapse_intake_in_flight_bytes'),
      outputsWaiting: value('lapse_outputs_waiting'),
      windowsOpen: value('lapse_windows_open'),
      windowsFired: value('lapse_windows_fired_total'),
      events: value('lapse_events_processed_total'),
      appended: value('lapse_records_appended_total'),
      pending: byWebhook('lapse_deliveries_pending'),
      unread: byWebhook('lapse_deliveries_unread'),
    };
    this.samples.push(vitals);
    return vitals;
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      await this.look();
      await new Promise((resolve) => setTimeout(resolve, this.#everyMs));
    }
  }
}

function memoryOf(pid: number): Pick<Vitals, 'anonBytes' | 'rssBytes'> {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return { anonBytes: 0, rssBytes: 0 };
  }
  const bytes = (name: string) =>
    KIB * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0);
  return { anonBytes: bytes('RssAnon'), rssBytes: bytes('VmRSS') };
}
