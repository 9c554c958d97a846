/** Starts the threads of `bench path`, lets them begin together and waits for the last one. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { LogHome } from '../../app/serve/log-home.ts';
import { errorOfThread } from '../../engine/worker/partition-worker.ts';
import type { Progress } from '../harness/progress.ts';
import type {
  FromPathThread,
  PathCounts,
  PathMode,
  PathThreadData,
  ToPathThread,
} from './protocol.ts';

export interface PathRun {
  /** From the start to the last thread's last output, ms. */
  readonly elapsedMs: number;
  /** What ending with a checkpoint of every partition took on top, ms. */
  readonly drainMs: number;
  readonly counts: PathCounts;
}

export interface PathRunOptions {
  readonly mode: PathMode;
  readonly home: LogHome;
  readonly workers: number;
  readonly partitions: number;
  readonly checkpointFolder: string;
  readonly checkpointIntervalMs: number;
  readonly reorderWindowMs: number;
  readonly progress: Progress;
}

export async function runPathThreads(options: PathRunOptions): Promise<PathRun> {
  const { workers, progress } = options;
  const records = new Array<number>(workers).fill(0);
  const threads = Array.from({ length: workers }, (_, index) => {
    const thread = startThread(options, index);
    thread.on('message', (message: FromPathThread) => {
      if (message.kind !== 'progress') return;
      records[index] = message.records;
      progress.at(records.reduce((sum, one) => sum + one, 0));
    });
    return thread;
  });
  const say = (message: ToPathThread) => {
    for (const thread of threads) thread.postMessage(message);
  };
  await Promise.all(threads.map((thread) => told(thread, 'connected')));
  const startedMs = performance.now();
  say({ kind: 'start' });
  const done = await Promise.all(threads.map((thread) => told(thread, 'done')));
  const elapsedMs = performance.now() - startedMs;
  progress.end();
  const exits = threads.map((thread) => once(thread, 'exit'));
  say({ kind: 'drain' });
  await Promise.all(threads.map((thread) => told(thread, 'drained')));
  const drainMs = performance.now() - startedMs - elapsedMs;
  await Promise.all(exits);
  return { elapsedMs, drainMs, counts: sumOf(done) };
}

function startThread(options: PathRunOptions, index: number): Worker {
  const { mode, home, workers, partitions } = options;
  const { checkpointFolder, checkpointIntervalMs, reorderWindowMs } = options;
  const { address, transfer } = home.address();
  const data: PathThreadData = {
    mode,
    log: address,
    partitions: Array.from({ length: partitions }, (_, p) => p).filter(
      (p) => p % workers === index,
    ),
    checkpointFolder,
    checkpointIntervalMs,
    reorderWindowMs,
  };
  // Built, or run by something that loads TypeScript: the thread is of the same kind.
  const module = new URL('./path-thread.js', import.meta.url);
  return new Worker(module, {
    name: `bench-path-${index}`,
    workerData: data,
    transferList: transfer,
  });
}

type Said<Kind extends FromPathThread['kind']> = Extract<FromPathThread, { kind: Kind }>;

function told<Kind extends FromPathThread['kind']>(
  thread: Worker,
  kind: Kind,
): Promise<Said<Kind>> {
  return new Promise((resolve, reject) => {
    thread.on('message', (message: FromPathThread) => {
      if (message.kind === kind) resolve(message as Said<Kind>);
      else if (message.kind === 'failed') reject(errorOfThread(message.error));
    });
    thread.once('error', reject);
  });
}

function sumOf(all: readonly PathCounts[]): PathCounts {
  const counters: Record<string, number> = {};
  let [records, busyMs, checkpoints] = [0, 0, 0];
  for (const one of all) {
    records += one.records;
    busyMs += one.busyMs;
    checkpoints += one.checkpoints;
    for (const [name, value] of Object.entries(one.counters)) {
      counters[name] = (counters[name] ?? 0) + value;
    }
  }
  return { records, counters, busyMs, checkpoints };
}
