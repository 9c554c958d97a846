import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** A process of the bench that answers one question at a time. */
export class Child<To, From extends { readonly kind: string }> {
  readonly #child: ChildProcess;

  /** @param module the built file, beside this one */
  constructor(module: string, args: readonly string[] = []) {
    const url = new URL(module, import.meta.url);
    this.#child = fork(url, [...args], { serialization: 'advanced' });
  }

  /** Resolves with the next answer, which must be of that kind. @throws when the process ends */
  async hear<Kind extends From['kind']>(kind: Kind): Promise<Extract<From, { kind: Kind }>> {
    const said = await new Promise<From>((resolve, reject) => {
      const onEnd = (code: number | null) => {
        reject(new Error(`a process of the bench ended with ${code}`));
      };
      this.#child.once('exit', onEnd);
      this.#child.once('message', (message) => {
        this.#child.off('exit', onEnd);
        resolve(message as From);
      });
    });
    if (said.kind !== kind) throw new Error(`the answer must be ${kind}, it was ${said.kind}`);
    return said as Extract<From, { kind: Kind }>;
  }

  async ask<Kind extends From['kind']>(
    question: To,
    kind: Kind,
  ): Promise<Extract<From, { kind: Kind }>> {
    const answer = this.hear(kind);
    this.say(question);
    return await answer;
  }

  say(message: To): void {
    this.#child.send(message as never);
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
