/** Feeds one input to a runner and says what became of it; shared by `npm test` and the command. */
import { LapseError } from '../../engine/errors/errors.ts';
import { demandUnpolluted, type FuzzRunner, type Outcome } from './target.ts';

/** @throws what the decoder must not have thrown, or a `Finding` */
export async function feed(runner: FuzzRunner, input: Uint8Array): Promise<Outcome> {
  let outcome: Outcome;
  try {
    const result = runner.run(input);
    // Awaiting costs a turn, and most decoders are done at once.
    outcome = typeof result === 'string' ? result : await result;
  } catch (error) {
    if (!(error instanceof LapseError)) throw error;
    outcome = 'refused';
  }
  demandUnpolluted();
  return outcome;
}
