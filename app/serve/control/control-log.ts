import { LapseError } from '../../../engine/errors/errors.ts';
import { BEGINNING, type Log, type Offset } from '../../../engine/log/log.ts';
import { supersededError } from '../../../engine/log/ownership.ts';
import { readUpTo } from '../../../engine/sender/lane-topics.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import type { ControlChange } from './control-state.ts';

/** The topic of changes of definitions and of what is done to campaigns. */
export const CONTROL_TOPIC = 'control';
const WRITER = 0;
const RETRY_MS = 250;
/** Of one envelope; a NATS message has 1 MiB. */
const ENVELOPE_BYTES_MAX = 512 * 1024;
/** So many envelopes are read at a start before they are written anew as one state. */
const ENVELOPES_MAX = 1_000;

/**
 * One envelope: a change or a part of one, or that the partitions have been told of all before.
 */
interface Entry {
  readonly change?: ControlChange;
  /** The next envelope continues the change: without it nothing of it holds. */
  readonly hasMore?: boolean;
  /** Everything before is replaced by it. */
  readonly isWhole?: boolean;
  readonly isTold?: boolean;
}

/** A change, and whether the partitions may not have heard of it. */
export interface StoredChange {
  readonly change: ControlChange;
  readonly isTold: boolean;
}

/** The control topic. One process writes it: an older owner of the log is refused. */
export class ControlLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #epoch: number;
  #position: number;

  private constructor(
    { log, clock, epoch }: { log: Log; clock: Clock; epoch: number },
    position: number,
  ) {
    this.#log = log;
    this.#clock = clock;
    this.#epoch = epoch;
    this.#position = position;
  }

  /** @throws LapseError `ERR_FENCED`, what the log answers */
  static async open(options: { log: Log; clock: Clock; epoch: number }): Promise<ControlLog> {
    const last = await options.log.positionOf(CONTROL_TOPIC, WRITER);
    if (last !== undefined && last.epoch > options.epoch) {
      throw supersededError('the control topic', options.epoch);
    }
    return new ControlLog(options, last?.offset ?? 0);
  }

  /** All changes that hold, in their order. */
  async read(): Promise<{ changes: readonly StoredChange[]; isLong: boolean }> {
    let changes: { change: ControlChange; isTold: boolean }[] = [];
    let parts: ControlChange[] = [];
    let envelopes = 0;
    const tail = await this.#log.tail(CONTROL_TOPIC);
    const range = { topic: CONTROL_TOPIC, after: BEGINNING, tail };
    await readUpTo(this.#log, range, ({ bytes }) => {
      envelopes++;
      const entry = JSON.parse(new TextDecoder().decode(bytes)) as Entry;
      if (entry.isTold === true) for (const one of changes) one.isTold = true;
      if (entry.change === undefined) return;
      parts.push(entry.change);
      if (entry.hasMore === true) return;
      const found = parts.map((change) => ({ change, isTold: entry.isWhole === true }));
      changes = entry.isWhole === true ? found : [...changes, ...found];
      parts = [];
    });
    return { changes, isLong: envelopes > ENVELOPES_MAX };
  }

  /** @returns where it stands */
  async append(change: ControlChange, isWhole = false): Promise<Offset> {
    const parts = partsOf(change, ENVELOPE_BYTES_MAX);
    let offset: Offset = BEGINNING;
    for (const [i, part] of parts.entries()) {
      const hasMore = i < parts.length - 1;
      offset = await this.#store({ change: part, hasMore, ...(isWhole ? { isWhole } : {}) });
    }
    return offset;
  }

  /** The partitions have been told of everything before. */
  async told(): Promise<void> {
    await this.#store({ isTold: true });
  }

  /** Writes the state anew and forgets how it came about. Everything must have been told. */
  async compact(changes: readonly ControlChange[]): Promise<void> {
    const before = await this.#log.tail(CONTROL_TOPIC);
    const entries = changes.flatMap((change) => partsOf(change, ENVELOPE_BYTES_MAX));
    for (const [i, change] of entries.entries()) {
      await this.#store({ change, hasMore: i < entries.length - 1, isWhole: true });
    }
    if (before > BEGINNING) await this.#log.trim(CONTROL_TOPIC, before);
  }

  /** @throws LapseError `ERR_FENCED` when another process has taken the log */
  async #store(entry: Entry): Promise<Offset> {
    const bytes = new TextEncoder().encode(JSON.stringify(entry));
    const position = { epoch: this.#epoch, offset: ++this.#position, ordinal: 0 };
    for (;;) {
      try {
        const offset = await this.#log.append(CONTROL_TOPIC, bytes, { writer: WRITER, position });
        return offset ?? (await this.#log.tail(CONTROL_TOPIC));
      } catch (error) {
        // A full log refuses for good, and so does this.
        const mayPass = error instanceof LapseError && error.code === 'ERR_LOG_UNAVAILABLE';
        if (!mayPass) throw error;
        await new Promise<void>((resolve) => {
          this.#clock.at(this.#clock.now() + RETRY_MS, resolve);
        });
      }
    }
  }
}

/** A change in parts of about so many bytes, which make it when they are taken in their order. */
export function partsOf(change: ControlChange, bytesMax: number): ControlChange[] {
  const { settings, webhooks, lives } = change;
  const parts: ControlChange[] = [];
  let part: { segments: unknown[]; campaigns: unknown[] } = { segments: [], campaigns: [] };
  let bytes = 0;
  const end = () => {
    const { segments, campaigns } = part as Required<Pick<ControlChange, 'segments' | 'campaigns'>>;
    parts.push({
      ...(segments.length > 0 ? { segments } : {}),
      ...(campaigns.length > 0 ? { campaigns } : {}),
    });
    part = { segments: [], campaigns: [] };
    bytes = 0;
  };
  for (const kind of ['segments', 'campaigns'] as const) {
    for (const one of change[kind] ?? []) {
      const size = JSON.stringify(one).length;
      if (bytes > 0 && bytes + size > bytesMax) end();
      part[kind].push(one);
      bytes += size;
    }
  }
  end();
  const first = {
    ...parts[0],
    ...(settings === undefined ? {} : { settings }),
    ...(webhooks === undefined ? {} : { webhooks }),
  };
  const rest = parts.slice(1);
  return lives === undefined ? [first, ...rest] : withLives([first, ...rest], lives);
}

/** Actions come behind the definitions of their campaigns. */
function withLives(
  parts: readonly ControlChange[],
  lives: NonNullable<ControlChange['lives']>,
): ControlChange[] {
  return [...parts.slice(0, -1), { ...parts.at(-1), lives }];
}
