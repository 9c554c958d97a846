/**
 * `bench windows`: what an open window costs in bytes and nanoseconds, how long a checkpoint holds
 * the path up, and how long a restart takes. Real partitions with real campaigns, all in one
 * thread, fed envelopes; only the log is a stand-in.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDefinitions } from '../../config/definitions/definitions.ts';
import { LapseError } from '../../engine/errors/errors.ts';
import { SLAB_SLOTS, WINDOW_BYTES } from '../../engine/state/window-slab.ts';
import type { Clock } from '../../engine/time/clock.ts';
import { type Progress, startProgress } from '../harness/progress.ts';
import type { Findings } from '../harness/report.ts';
import { type CheckpointFigures, runCheckpoints } from './checkpoint-run.ts';
import { FeedLog } from './feed-log.ts';
import { collectGarbage } from './memory.ts';
import { measureNaive, type NaiveFigures } from './naive.ts';
import { PartitionSet } from './partition-set.ts';
import { measureTables, type TableFigures } from './table-figures.ts';
import { DID, WITHOUT, WindowFeed } from './window-feed.ts';
import { windowFindings } from './window-findings.ts';

export interface WindowsOptions {
  readonly windows: number;
  readonly partitions: number;
  readonly naive: number;
}

/** Bytes a window, by what they are for. */
export interface WindowBytes {
  readonly resident: number;
  readonly slab: number;
  readonly index: number;
  readonly strings: number;
  /** Fingerprints of the events that opened them: not of windows, but there. */
  readonly dedupe: number;
}

export interface WindowFigures {
  readonly bytes: WindowBytes;
  readonly openNs: number;
  readonly moveNs: number;
  readonly cancelNs: number;
  readonly fireNs: number;
  readonly checkpoint: CheckpointFigures;
  readonly restartMs: number;
  readonly hash: string;
  readonly fired: number;
  readonly tables: TableFigures;
  readonly naive: NaiveFigures;
}

/** Any instant: the clock of the run stands still, log time is its own. */
const NOW_MS = Date.UTC(2026, 0, 5, 9);
const OPENING_MS = 600_000;
const WITHIN_MS = 86_400_000;
const NS_PER_MS = 1e6;
/** Of all windows: so many are moved, so many cancelled, so many fired, each a range of its own. */
const SHARE = 0.1;
/** Records fed between two lookings at the clock; few enough to keep envelopes from piling up. */
const BLOCK = 64_000;
const FED_A_TURN = 1_000;

export async function benchWindows(options: WindowsOptions): Promise<Findings> {
  const naive = measureNaive(options.naive);
  const tables = measureTables(Math.min(options.windows, 1_000_000));
  collectGarbage();
  const folder = mkdtempSync(join(tmpdir(), 'lapse-bench-windows-'));
  try {
    const run = new WindowsRun(options, folder);
    return windowFindings(options, { ...(await run.measure()), tables, naive });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class WindowsRun {
  readonly #options: WindowsOptions;
  readonly #folder: string;
  readonly #log: FeedLog;
  readonly #feed: WindowFeed;
  readonly #share: number;
  #set: PartitionSet;
  #atMs = NOW_MS;
  readonly #clock: Clock = { now: () => this.#atMs, at: () => () => undefined };

  constructor(options: WindowsOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#log = new FeedLog(options.partitions);
    this.#feed = new WindowFeed(this.#log);
    this.#set = new PartitionSet(this.#log);
    this.#share = Math.floor(options.windows * SHARE);
  }

  async measure(): Promise<Omit<WindowFigures, 'tables' | 'naive'>> {
    const { windows } = this.#options;
    const share = this.#share;
    await this.#set.open(this.#folder, this.#clock);
    this.#feed.control({ type: 'definitions', definitions: definitions() }, NOW_MS);
    await this.#set.run();
    collectGarbage();
    const residentBefore = process.memoryUsage().rss;
    const openNs = await this.#over('opening windows', DID, 0, windows, OPENING_MS);
    this.#requireOpen(windows);
    collectGarbage();
    const bytes = this.#bytes(process.memoryUsage().rss - residentBefore);
    const moveNs = await this.#over('moving', DID, windows - share, windows, 60_000);
    const cancelNs = await this.#over('cancelling', WITHOUT, share, 2 * share, 60_000);
    this.#requireOpen(windows - share);
    const checkpoint = await this.#checkpoint();
    this.#requireOpen(windows - share);
    const restartMs = await this.#restart();
    this.#requireOpen(windows - share);
    const fireNs = await this.#fire();
    this.#requireOpen(windows - 2 * share);
    const hash = this.#set.outputHash();
    this.#set.stop();
    const { windowsFired: fired } = this.#set.counters;
    return { bytes, openNs, moveNs, cancelNs, fireNs, checkpoint, restartMs, hash, fired };
  }

  /** @returns ns an event, from the envelope to the state */
  async #over(
    label: string,
    name: typeof DID | typeof WITHOUT,
    from: number,
    to: number,
    durationMs: number,
  ): Promise<number> {
    const progress = startProgress(label, to - from);
    const startMs = this.#atMs;
    let busyMs = 0;
    for (let number = from; number < to; number++) {
      this.#atMs = startMs + Math.floor(((number - from + 1) * durationMs) / (to - from));
      this.#feed.event(name, number, this.#atMs);
      if ((number - from) % BLOCK !== BLOCK - 1) continue;
      busyMs += await this.#set.run();
      progress.at(number - from);
    }
    this.#feed.flush();
    busyMs += await this.#set.run();
    progress.end();
    return (busyMs * NS_PER_MS) / (to - from);
  }

  async #checkpoint(): Promise<CheckpointFigures> {
    const { windows, partitions } = this.#options;
    const share = this.#share;
    const progress: Progress = startProgress('checkpoints', partitions);
    let next = 0;
    const feed = () => {
      this.#atMs++;
      for (let i = 0; i < FED_A_TURN; i++) {
        this.#feed.event(DID, windows - share + (next++ % share), this.#atMs);
      }
      this.#feed.flush();
    };
    const figures = await runCheckpoints(this.#set, feed, progress);
    progress.end();
    return figures;
  }

  /** Forgets everything and loads it again, as a process that starts does. */
  async #restart(): Promise<number> {
    this.#set.stop();
    this.#set = new PartitionSet(this.#log);
    collectGarbage();
    const startedMs = performance.now();
    await this.#set.open(this.#folder, this.#clock);
    return performance.now() - startedMs;
  }

  /** Brings time over the end of the windows that were opened first. */
  async #fire(): Promise<number> {
    const progress = startProgress('firing', this.#share);
    const endMs = NOW_MS + WITHIN_MS + Math.floor(OPENING_MS * SHARE);
    let busyMs = 0;
    for (let atMs = endMs - 60_000; atMs <= endMs; atMs += 1_000) {
      this.#feed.tick(atMs);
      busyMs += await this.#set.run();
      progress.at(this.#set.counters.windowsFired);
    }
    progress.end();
    return (busyMs * NS_PER_MS) / this.#set.counters.windowsFired;
  }

  #bytes(resident: number): WindowBytes {
    const { windows } = this.#options;
    let [slab, index, strings, dedupe] = [0, 0, 0, 0];
    for (const { core } of this.#set.runners) {
      const { state } = core;
      const slots = slotsReserved(state.windows.count);
      slab += slots * WINDOW_BYTES;
      index += state.windows.bytesReserved - slots * WINDOW_BYTES;
      strings += state.arena.bytesReserved;
      dedupe += state.dedupe.bytes;
    }
    const each = (sum: number) => sum / windows;
    return {
      resident: each(resident),
      slab: each(slab),
      index: each(index),
      strings: each(strings),
      dedupe: each(dedupe),
    };
  }

  #requireOpen(windows: number): void {
    const open = this.#set.openWindows;
    if (open === windows) return;
    throw new LapseError(
      'ERR_BENCH_OUTPUT',
      `There must be ${windows} open windows, there are ${open}.`,
    );
  }
}

function slotsReserved(windows: number): number {
  return Math.ceil(windows / SLAB_SLOTS) * SLAB_SLOTS;
}

function definitions() {
  return parseDefinitions({
    webhooks: [{ id: 'hook', url: 'http://127.0.0.1:9/none' }],
    campaigns: [
      {
        id: 'cart-abandoned',
        name: 'Cart abandoned',
        webhook: 'hook',
        qualify: {
          live: {
            inaction: {
              did: { event: DID },
              without: { event: WITHOUT },
              within: '1d',
              match: 'cart_id',
            },
          },
        },
        content: { fields: ['identity', 'eventProperties'] },
      },
    ],
  });
}
