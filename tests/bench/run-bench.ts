/** Runs a bench of the build in a process of its own, as the command line does. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchReport } from '../../bench/harness/report.ts';

const main = new URL('../../dist/bench/main.js', import.meta.url).href;
const root = fileURLToPath(new URL('../..', import.meta.url));
const OUTPUT_BYTES_MAX = 2 ** 20;

/** @throws when it does not end with exit code 0; its words are in the error */
export async function runBenchSmoke(name: string, ...args: string[]): Promise<BenchReport> {
  const given = JSON.stringify([...args, '--smoke', '--json']);
  const program =
    `import(${JSON.stringify(main)}).then(async ({ runBench }) => {` +
    `process.exitCode = await runBench(${JSON.stringify(name)}, ${given}); });`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    // Threads inherit the flags of the process, and none takes `--input-type`.
    ['--eval', program],
    { cwd: root, maxBuffer: OUTPUT_BYTES_MAX },
  );
  return JSON.parse(stdout) as BenchReport;
}
