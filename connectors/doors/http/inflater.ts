import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

const inflate = promisify(gunzip);

/** Node.js inflates with four threads; more at a time would only hold more memory. */
const RUNNING_MAX = 4;

/**
 * Inflates bodies, a few at a time and the rest in turn. What is being inflated is counted nowhere
 * else, and never is more than `RUNNING_MAX` times the largest request.
 */
export class Inflater {
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @throws what `gunzip` throws; `ERR_BUFFER_TOO_LARGE` beyond `bytesMax` */
  async run(body: Buffer, bytesMax: number): Promise<Buffer> {
    if (this.#running >= RUNNING_MAX) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return await inflate(body, { maxOutputLength: bytesMax });
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
