/** `lapse serve` as a process of its own, started as a person would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const QUANTILES = [0.5, 0.99, 0.999] as const;

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
      env: { ...process.env, LAPSE_EGRESS_ALLOW: '127.0.0.1', ...environment },
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

  /**
   * The quantiles of one of Lapse's latencies, p50, p99, p99.9, ms; NaN without a sample. As
   * Prometheus works them out: spread evenly within a bucket.
   */
  async quantilesOf(metric: string, labels = ''): Promise<[number, number, number]> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const buckets = bucketsOf(text, metric, labels);
    return QUANTILES.map((share) => 1_000 * quantileOf(buckets, share)) as [number, number, number];
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }
}

interface Bucket {
  readonly upToSeconds: number;
  /** Of samples that are at most as long. */
  readonly count: number;
}

function bucketsOf(text: string, metric: string, labels: string): Bucket[] {
  const lines = text.split('\n').filter((line) => line.startsWith(`${metric}_bucket{`));
  return lines
    .filter((line) => line.includes(labels))
    .map((line) => ({
      upToSeconds: Number(/le="([^"]+)"/.exec(line)![1]!.replace('+Inf', 'Infinity')),
      count: Number(line.split(' ').at(-1)),
    }));
}

function quantileOf(buckets: readonly Bucket[], share: number): number {
  const wanted = share * (buckets.at(-1)?.count ?? Number.NaN);
  const at = buckets.findIndex(({ count }) => count >= wanted);
  if (at === -1 || wanted === 0) return Number.NaN;
  const before = buckets[at - 1] ?? { upToSeconds: 0, count: 0 };
  const { upToSeconds, count } = buckets[at]!;
  if (!Number.isFinite(upToSeconds)) return before.upToSeconds;
  const part = (wanted - before.count) / (count - before.count);
  return before.upToSeconds + part * (upToSeconds - before.upToSeconds);
}
