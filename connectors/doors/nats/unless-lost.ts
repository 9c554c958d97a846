import { externalError } from '../../../engine/errors/errors.ts';

/** Waits for answers of a server that is lost now and then: what it was asked before, it forgets. */
export class UnlessLost {
  #giveUp: () => void = () => {};

  /** @throws LapseError `ERR_NATS_DOOR` when the connection is lost before the answer has come */
  answered<Result>(asked: Promise<Result>): Promise<Result> {
    const lost = new Promise<never>((_, reject) => {
      this.#giveUp = () => reject(externalError('ERR_NATS_DOOR', 'The connection was lost.'));
    });
    return Promise.race([asked, lost]);
  }

  /** The connection is lost, or nobody waits any more. */
  lost(): void {
    this.#giveUp();
  }
}
