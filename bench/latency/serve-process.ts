/** `lapse serve` as a process of its own, started as a person would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const QUANTILES = ['0.5', '0.99', '0.999'] as const;

export class ServeProcess {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /**
   * @param flags of `lapse serve`
   * @param environment added to that of this process
   */
  static async start(
    flags: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<ServeProcess> {
    const program = fileURLToPath(new URL('../../app/cli/main.js', import.meta.url));
    const child = spawn(process.execPath, [program, 'serve', '--port', '0', ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
    });
    const lines = createInterface({ input: child.stderr! });
    const url = await new Promise<string>((resolve, reject) => {
      let log = '';
      lines.on('line', (line) => {
        const said = /"url":"([^"]+)"/.exec(line);
        if (said) resolve(said[1]!);
        else {
          log += `${line}\n`;
          if (log.length > 0 && child.exitCode === null) process.stderr.write(`${line}\n`);
        }
      });
      child.once('exit', () => reject(new Error(`lapse serve ended at start:\n${log}`)));
    });
    return new ServeProcess(child, url);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** The quantiles that Lapse reports of one of its latencies, p50, p99, p99.9; NaN without one. */
  async quantilesOf(metric: string, labels = ''): Promise<[number, number, number]> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return QUANTILES.map((quantile) => {
      const line = text
        .split('\n')
        .find(
          (one) =>
            one.startsWith(`${metric}{`) &&
            one.includes(`quantile="${quantile}"`) &&
            one.includes(labels),
        );
      return Number(line?.split(' ').at(-1) ?? Number.NaN);
    }) as [number, number, number];
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }
}
