/** Runs the seeds that its parent sends. */
import { runSeed } from './run-seed.ts';

process.on('message', (seed: number) => {
  runSeed(seed).then(
    (result) => process.send!(result),
    (error: unknown) => {
      process.stderr.write(`${(error as Error).stack}\n`);
      process.exit(1);
    },
  );
});
