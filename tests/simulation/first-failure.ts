/** Runs seeds from 1 on until one fails, and says which, as JSON: what `node scripts/mutations.mjs` asks. */
import { SeedRunner } from './seed-runner.ts';

const count = Number(process.argv[2]);
const runner = new SeedRunner();
let failure: { readonly seed?: number; readonly problem?: string | undefined } = {};
for (let seed = 1; seed <= count && failure.seed === undefined; seed++) {
  const { problems } = await runner.run(seed);
  if (problems.length > 0) failure = { seed, problem: problems[0] };
}
runner.close();
process.stdout.write(`${JSON.stringify(failure)}\n`);
process.exitCode = failure.seed === undefined ? 0 : 1;
