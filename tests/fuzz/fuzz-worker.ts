/**
 * The thread in which one target is fuzzed. Each input is put where the parent can see it before
 * it is fed, so that one that never ends, or takes the thread's memory, is known all the same; and
 * in `AT_HAND` too, for one that takes the whole process along.
 */
import { ftruncateSync, openSync, writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { AT_HAND, mutatorOf } from './corpus.ts';
import { feed } from './feed.ts';
import { InputWindow } from './input-window.ts';
import type { FuzzOrder, FuzzProgress, FuzzReport } from './protocol.ts';
import type { FuzzRunner } from './target.ts';
import { TARGETS } from './targets.ts';

const order = workerData as FuzzOrder;
const window = new InputWindow(order.window);
const target = TARGETS.find(({ name }) => name === order.target)!;

setFlagsFromString('--expose-gc');
const atHand = openSync(AT_HAND, 'w');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes that stay: the heap and what lies outside of it. */
async function bytesHeld(): Promise<number> {
  // What a finished input left for the next turns must not count.
  for (let i = 0; i < 3; i++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Of this process, whose other threads wait: what else the machine does must not count. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** The least of a few runs: one alone may have met a garbage collection. */
async function slownessOf(runner: FuzzRunner, input: Uint8Array): Promise<number> {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const startedMs = processorMs();
    await feed(runner, input);
    leastMs = Math.min(leastMs, processorMs() - startedMs);
  }
  return leastMs;
}

async function run(): Promise<FuzzReport> {
  const { seed, count, slowMs } = order;
  const mutator = mutatorOf(target);
  const runner = await target.open();
  const report: FuzzReport = {
    inputs: 0,
    accepted: 0,
    refused: 0,
    slowestMs: 0,
    feedMs: 0,
    grownBytes: 0,
  };
  // Compiled code and caches come with the first inputs; what comes after the first fifth stays.
  const warmAt = Math.ceil(count / 5);
  let warmBytes = 0;
  let slowest: Uint8Array = new Uint8Array(0);
  let toldMs = performance.now();
  for (let n = 0; n < count; n++) {
    if (n === warmAt) warmBytes = await bytesHeld();
    const input = mutator.input(seed, n);
    window.begin(input);
    ftruncateSync(atHand, 0);
    writeSync(atHand, input, 0, input.length, 0);
    const startedMs = performance.now();
    try {
      const outcome = await feed(runner, input);
      report[outcome]++;
    } catch (error) {
      const { stack } = error as Error;
      window.end();
      return {
        ...report,
        inputs: n + 1,
        broken: { why: 'found', input, said: stack ?? String(error) },
      };
    }
    const tookMs = performance.now() - startedMs;
    window.end();
    report.feedMs += tookMs;
    report.inputs = n + 1;
    if (tookMs > report.slowestMs) {
      report.slowestMs = tookMs;
      slowest = input;
    }
    if (tookMs > slowMs) {
      const leastMs = await slownessOf(runner, input);
      const said = `It took ${leastMs.toFixed(0)} ms of a processor, more than ${slowMs} ms.`;
      if (leastMs > slowMs) return { ...report, broken: { why: 'slow', input, said } };
      report.slowestMs = leastMs;
    }
    if (startedMs - toldMs > 1_000) {
      toldMs = startedMs;
      parentPort!.postMessage({ kind: 'progress', inputs: report.inputs } satisfies FuzzProgress);
    }
  }
  report.grownBytes = (await bytesHeld()) - warmBytes;
  if (count > 0 && slowest.length > 0) report.slowestMs = await slownessOf(runner, slowest);
  await runner.close?.();
  return report;
}

parentPort!.postMessage({ kind: 'report', report: await run() });
