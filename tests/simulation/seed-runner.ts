import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SeedResult } from './run-seed.ts';

/** As it is built: Node 20 runs no TypeScript. */
const PROCESS = fileURLToPath(new URL('./seed-process.js', import.meta.url));
/** A seed takes a fraction of a second. */
const SEED_MS_MAX = 60_000;

/** Runs seeds in a process of their own, one at a time: what takes it down belongs to the seed. */
export class SeedRunner {
  #child: ChildProcess | undefined;

  run(seed: number): Promise<SeedResult> {
    this.#child ??= fork(PROCESS);
    const child = this.#child;
    return new Promise((resolve) => {
      let isEndless = false;
      // It may run in circles within one turn of its own event loop.
      const watch = setTimeout(() => {
        isEndless = true;
        child.kill('SIGKILL');
      }, SEED_MS_MAX);
      const settle = (result: SeedResult) => {
        clearTimeout(watch);
        child.off('message', settle);
        child.off('exit', fail);
        resolve(result);
      };
      const fail = (code: number | null, signal: string | null) => {
        this.#child = undefined;
        const ended = `its process ended with ${code === null ? signal : `code ${code}`}`;
        settle(brokenResult(seed, isEndless ? 'it runs for ever' : ended));
      };
      child.on('message', settle);
      child.on('exit', fail);
      child.send(seed);
    });
  }

  close(): void {
    this.#child?.disconnect();
  }
}

function brokenResult(seed: number, problem: string): SeedResult {
  const figures = { steps: 0, processes: 0, events: 0, qualifications: 0, requests: 0 };
  return { seed, home: '-', problems: [problem], traceHash: '', trace: [], figures, met: {} };
}
