/**
 * `node scripts/fuzz.mjs <inputs>`: so many inputs over all targets, one thread a target after the other.
 *
 *   --target <name>   only this one; may be given several times
 *   --seed <n>        other inputs; printed at the start
 *   --replay <file>   feeds one file to the target and prints what came of it
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { keep } from './corpus.ts';
import { feed } from './feed.ts';
import { InputWindow, WINDOW_BYTES } from './input-window.ts';
import type { FuzzMessage, FuzzOrder, FuzzReport } from './protocol.ts';
import type { FuzzTarget } from './target.ts';
import { TARGETS } from './targets.ts';

/** An input that takes longer, three times in a row, is a finding. */
const SLOW_MS = 1_000;
/** One that takes longer is stopped from outside. */
const HANG_MS = 20_000;
const LOOK_MS = 500;
/** What may be held more at the end; code that is compiled late and caches are smaller. */
const GROWN_BYTES_MAX = 16 * 1024 * 1024;
const HEAP_MB_MAX = 1_024;
const COUNT_DEFAULT = 100_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    replay: { type: 'string' },
  },
});

function chosen(): readonly FuzzTarget[] {
  const names = options.target ?? TARGETS.map(({ name }) => name);
  return names.map((name) => {
    const target = TARGETS.find((one) => one.name === name);
    if (target !== undefined) return target;
    const known = TARGETS.map((one) => one.name).join(', ');
    throw new Error(`--target must be one of ${known}, got ${name}`);
  });
}

async function replay(path: string): Promise<void> {
  for (const target of chosen()) {
    const runner = await target.open();
    const startedMs = performance.now();
    const outcome = await feed(runner, readFileSync(path));
    const tookMs = performance.now() - startedMs;
    console.log(`${target.name}: ${outcome} in ${tookMs.toFixed(1)} ms`);
    await runner.close?.();
  }
}

/** Runs one target in a thread of its own; resolves with its report, whatever becomes of it. */
function fuzz(target: FuzzTarget, seed: number, count: number): Promise<FuzzReport> {
  const memory = new SharedArrayBuffer(WINDOW_BYTES);
  const window = new InputWindow(memory);
  const order: FuzzOrder = { target: target.name, seed, count, slowMs: SLOW_MS, window: memory };
  const worker = new Worker(new URL(`./fuzz-worker${import.meta.url.slice(-3)}`, import.meta.url), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  });
  return new Promise((resolve) => {
    let inputs = 0;
    let seen = { number: 0, sinceMs: performance.now() };
    const look = setInterval(() => {
      const { number } = window;
      const nowMs = performance.now();
      if (number === 0 || number !== seen.number) seen = { number, sinceMs: nowMs };
      else if (nowMs - seen.sinceMs > HANG_MS) end('hang', `It ran for more than ${HANG_MS} ms.`);
    }, LOOK_MS);
    const settle = (report: FuzzReport): void => {
      clearInterval(look);
      void worker.terminate();
      resolve(report);
    };
    const end = (why: 'found' | 'hang', said: string): void => {
      const broken = { why, input: window.input, said };
      const rest = { accepted: 0, refused: 0, slowestMs: 0, feedMs: 0, grownBytes: 0 };
      settle({ inputs, ...rest, broken });
    };
    worker.on('message', (message: FuzzMessage) => {
      if (message.kind === 'report') settle(message.report);
      else {
        inputs = message.inputs;
        progress(target.name, inputs, count);
      }
    });
    worker.on('error', (error) => end('found', error.stack ?? error.message));
  });
}

function progress(name: string, inputs: number, count: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r\x1b[K${name}: ${inputs.toLocaleString('en-US')} of ${count}`);
}

function verdictOf(target: FuzzTarget, report: FuzzReport): FuzzReport['broken'] {
  if (report.broken !== undefined || report.grownBytes <= GROWN_BYTES_MAX) return report.broken;
  const said = `${target.name} holds ${report.grownBytes} bytes more than after its first inputs.`;
  return { why: 'grown', input: new Uint8Array(0), said };
}

function say(name: string, report: FuzzReport, tookMs: number): void {
  const { inputs, accepted, refused, slowestMs, grownBytes } = report;
  const rate = Math.round((inputs / tookMs) * 1_000);
  const cells = [
    name.padEnd(18),
    String(inputs).padStart(9),
    String(accepted).padStart(9),
    String(refused).padStart(9),
    `${rate}/s`.padStart(9),
    `${slowestMs.toFixed(1)} ms`.padStart(10),
    `${(grownBytes / 1024 / 1024).toFixed(1)} MiB`.padStart(9),
  ];
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  console.log(cells.join(' '));
}

function complain(
  target: FuzzTarget,
  broken: NonNullable<FuzzReport['broken']>,
  seed: number,
): void {
  console.log(`  ${broken.why}: ${broken.said.split('\n').slice(0, 12).join('\n    ')}`);
  if (broken.why === 'grown') {
    console.log(`  again: node scripts/fuzz.mjs --target ${target.name} --seed ${seed}`);
    return;
  }
  const path = keep(target.name, broken.why, broken.input);
  console.log(`  again: node scripts/fuzz.mjs --target ${target.name} --replay ${path}`);
}

async function main(): Promise<number> {
  if (options.replay !== undefined) {
    await replay(options.replay);
    return 0;
  }
  const targets = chosen();
  const seed = Number(options.seed);
  const total = Number(positionals[0] ?? COUNT_DEFAULT);
  if (!Number.isSafeInteger(total) || total < 1 || !Number.isSafeInteger(seed)) {
    throw new Error('node scripts/fuzz.mjs <inputs> [--target <name>] [--seed <n>]');
  }
  const shares = targets.reduce((sum, { share = 1 }) => sum + share, 0);
  const startedMs = performance.now();
  let fed = 0;
  let findings = 0;
  console.log(`seed ${seed}, ${total} inputs, ${targets.length} targets`);
  console.log('target                inputs  accepted   refused      rate    slowest    growth');
  for (const target of targets) {
    const count = Math.max(1, Math.ceil((total * (target.share ?? 1)) / shares));
    const targetMs = performance.now();
    const report = await fuzz(target, seed, count);
    fed += report.inputs;
    say(target.name, report, performance.now() - targetMs);
    const broken = verdictOf(target, report);
    if (broken === undefined) continue;
    findings++;
    complain(target, broken, seed);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const rate = Math.round(fed / seconds);
  console.log(`${fed} inputs in ${seconds.toFixed(1)} s (${rate}/s), ${findings} findings`);
  return findings === 0 ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.stack : String(error));
  return 1;
});
