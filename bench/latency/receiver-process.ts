import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Arrival, FromReceiver, ToReceiver } from './receiver.ts';

/** The receiver as the bench holds it. */
export class ReceiverProcess {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.url = `http://127.0.0.1:${port}/hook`;
  }

  static async start(): Promise<ReceiverProcess> {
    const child = fork(new URL('./receiver.js', import.meta.url));
    const [said] = (await once(child, 'message')) as [FromReceiver];
    if (said.kind !== 'listening')
      throw new Error(`the receiver must listen, it said ${said.kind}`);
    return new ReceiverProcess(child, said.port);
  }

  /** Requests so far. */
  async count(): Promise<number> {
    const said = await this.#ask('count');
    return said.kind === 'count' ? said.count : 0;
  }

  /** What has arrived since the last time. */
  async report(): Promise<readonly Arrival[]> {
    const said = await this.#ask('report');
    return said.kind === 'arrivals' ? said.arrivals : [];
  }

  async close(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.send('close' satisfies ToReceiver);
    await exited;
  }

  async #ask(question: ToReceiver): Promise<FromReceiver> {
    const answer = once(this.#child, 'message') as Promise<[FromReceiver]>;
    this.#child.send(question);
    return (await answer)[0];
  }
}
