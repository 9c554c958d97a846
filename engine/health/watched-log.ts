/**
 * A log whose failures are conditions: it says when appends are refused or hang, and when they go
 * through again, whoever appends. Callers still get every error. What was refused is not tried
 * again here; a small append of its own finds out whether the log takes records again, as nothing
 * else may come in while Lapse is not ready.
 */
import { LapseError, messageOf } from '../errors/errors.ts';
import type { Fence, LogReader, Offset, SizedLog, WriterPosition } from '../log/log.ts';
import type { Clock } from '../time/clock.ts';
import type { Cause } from './causes.ts';
import type { ConditionReporter } from './conditions.ts';

/** Appends under way, and none of them ended for so long: the log hangs. */
const STALLED_MS = 4_000;
const PROBE_MS = 500;
/** Beside the topics of a kind, under a name that no partition and no webhook has. */
const PROBE_NAME = '~probe';
const PROBE_BYTES_MIN = 1024;

const CAUSE_OF: Readonly<Record<string, Cause>> = {
  ERR_LOG_FULL: 'log-full',
  ERR_LOG_UNAVAILABLE: 'log-unavailable',
};

/** Appends to the topics of one kind: on JetStream they are one stream. */
interface Kind {
  inFlight: number;
  /** When one ended last, or when the first of those under way began, Unix ms. */
  progressAtMs: number;
  stalled: boolean;
  /** Refused, and not taken since; so many bytes were refused. */
  refused: { readonly cause: Cause; readonly bytes: number } | undefined;
}

export class WatchedLog implements SizedLog {
  readonly #log: SizedLog;
  readonly #clock: Clock;
  readonly #conditions: ConditionReporter;
  readonly #kinds = new Map<string, Kind>();
  #cancelWatch: (() => void) | undefined;
  #cancelProbe: (() => void) | undefined;
  #isClosed = false;

  constructor(log: SizedLog, clock: Clock, conditions: ConditionReporter) {
    this.#log = log;
    this.#clock = clock;
    this.#conditions = conditions;
  }

  get partitionCount(): number {
    return this.#log.partitionCount;
  }

  append(topic: string, bytes: Uint8Array, fence?: Fence): Promise<Offset | undefined> {
    return this.#watched(topic, bytes.length, this.#log.append(topic, bytes, fence));
  }

  claim(partition: number, epoch: number, bytes: Uint8Array): Promise<Offset> {
    return this.#watched(`in.${partition}`, bytes.length, this.#log.claim(partition, epoch, bytes));
  }

  epochOf(partition: number): Promise<number> {
    return this.#log.epochOf(partition);
  }

  read(topic: string, after: Offset, onReadable: () => void): LogReader {
    return this.#log.read(topic, after, onReadable);
  }

  tail(topic: string): Promise<Offset> {
    return this.#log.tail(topic);
  }

  head(topic: string): Promise<Offset> {
    return this.#log.head(topic);
  }

  positionOf(topic: string, writer: number): Promise<WriterPosition | undefined> {
    return this.#log.positionOf(topic, writer);
  }

  trim(topic: string, upTo: Offset): Promise<void> {
    return this.#log.trim(topic, upTo);
  }

  sizeBytes(): Promise<number> {
    return this.#log.sizeBytes();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelWatch?.();
    this.#cancelProbe?.();
    return this.#log.close();
  }

  #watched<Result>(topic: string, bytes: number, stored: Promise<Result>): Promise<Result> {
    const name = kindOf(topic);
    let kind = this.#kinds.get(name);
    if (kind === undefined) {
      kind = { inFlight: 0, progressAtMs: 0, stalled: false, refused: undefined };
      this.#kinds.set(name, kind);
    }
    const watched = kind;
    if (watched.inFlight++ === 0) watched.progressAtMs = this.#clock.now();
    this.#cancelWatch ??= this.#watchAt(watched.progressAtMs + STALLED_MS);
    stored.then(
      () => this.#settled(watched),
      (error: unknown) => {
        this.#settled(watched);
        this.#refused(watched, bytes, error);
      },
    );
    return stored;
  }

  #settled(kind: Kind): void {
    kind.inFlight--;
    kind.progressAtMs = this.#clock.now();
    if (!kind.stalled) return;
    kind.stalled = false;
    this.#tellOver('log-unavailable');
  }

  #refused(kind: Kind, bytes: number, error: unknown): void {
    const cause = error instanceof LapseError ? CAUSE_OF[error.code] : undefined;
    if (cause === undefined || this.#isClosed) return;
    const before = kind.refused?.cause;
    kind.refused = { cause, bytes: Math.max(bytes, PROBE_BYTES_MIN, kind.refused?.bytes ?? 0) };
    this.#conditions.begin(cause, '', messageOf(error));
    if (before !== undefined && before !== cause) this.#tellOver(before);
    this.#cancelProbe ??= this.#probeLater();
  }

  #tellOver(cause: Cause): void {
    for (const { refused, stalled } of this.#kinds.values()) {
      if (refused?.cause === cause || (stalled && cause === 'log-unavailable')) return;
    }
    this.#conditions.over(cause, '');
  }

  #watchAt(atMs: number): () => void {
    return this.#clock.at(atMs, () => {
      this.#cancelWatch = undefined;
      if (this.#isClosed) return;
      const nowMs = this.#clock.now();
      let nextAtMs = Infinity;
      for (const [name, kind] of this.#kinds) {
        if (kind.inFlight === 0) continue;
        nextAtMs = Math.min(nextAtMs, Math.max(kind.progressAtMs, nowMs - 1) + STALLED_MS);
        if (kind.stalled || nowMs - kind.progressAtMs < STALLED_MS) continue;
        kind.stalled = true;
        this.#conditions.begin(
          'log-unavailable',
          '',
          `The log does not answer: an append to '${name}' has waited for ${STALLED_MS} ms.`,
        );
      }
      if (nextAtMs < Infinity) this.#cancelWatch ??= this.#watchAt(nextAtMs);
    });
  }

  #probeLater(): () => void {
    return this.#clock.at(this.#clock.now() + PROBE_MS, () => void this.#probe());
  }

  /** Tries each kind that was refused with as many bytes as were. */
  async #probe(): Promise<void> {
    for (const [name, kind] of this.#kinds) {
      if (kind.refused === undefined || this.#isClosed) continue;
      const topic = `${name}.${PROBE_NAME}`;
      const { cause, bytes } = kind.refused;
      try {
        const offset = await this.#log.append(topic, new Uint8Array(bytes));
        kind.refused = undefined;
        this.#tellOver(cause);
        // What is left of it is a few bytes of the log.
        this.#log.trim(topic, offset!).catch(() => undefined);
      } catch (error) {
        if (!this.#isClosed) this.#refused(kind, 0, error);
      }
    }
    this.#cancelProbe = undefined;
    const isRefused = [...this.#kinds.values()].some(({ refused }) => refused !== undefined);
    if (isRefused && !this.#isClosed) this.#cancelProbe = this.#probeLater();
  }
}

function kindOf(topic: string): string {
  const dot = topic.indexOf('.');
  return dot === -1 ? topic : topic.slice(0, dot);
}
