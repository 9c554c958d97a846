/** Runs seeds from 1 on until one fails, and says which, as JSON: what `npm run mutations` asks. */
import { runSeed } from './run-seed.ts';

const SEED_MS_MAX = 20_000;
const count = Number(process.argv[2]);
for (let seed = 1; seed <= count; seed++) {
  const tell = (problem: string | undefined) =>
    process.stdout.write(`${JSON.stringify({ seed, problem })}\n`);
  // A mutant may run in circles within one turn of the simulated time, but not in one of ours.
  const watch = setTimeout(() => {
    tell('it runs for ever');
    process.exit(1);
  }, SEED_MS_MAX);
  const { problems } = await runSeed(seed);
  clearTimeout(watch);
  if (problems.length === 0) continue;
  tell(problems[0]);
  process.exit(1);
}
process.stdout.write('{}\n');
