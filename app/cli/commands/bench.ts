import { existsSync } from 'node:fs';
import { userError } from '../../../engine/errors/errors.ts';

/** Beside the build of this file; nothing of the product imports benches, so it is a name only. */
const BENCHES = new URL('../../../bench/main.js', import.meta.url);

interface Benches {
  runBench(name: string | undefined, args: string[]): Promise<number>;
}

/** `lapse bench`: resolves with the exit code. */
export async function benchCommand(words: readonly string[], asJson: boolean): Promise<number> {
  if (!existsSync(BENCHES)) {
    throw userError(
      'ERR_NO_BENCHES',
      'The benches must be part of this installation, they are not.',
    );
  }
  const { runBench } = (await import(BENCHES.href)) as Benches;
  const [first] = words;
  const name = first === undefined || first.startsWith('-') ? undefined : first;
  const args = words.slice(name === undefined ? 0 : 1);
  return runBench(name, asJson ? [...args, '--json'] : args);
}
