/** `lapse serve` as a process of its own, built, for tests that kill it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

export { stablePort } from './ports.ts';

const LAPSE = fileURLToPath(new URL('../../bin/lapse.mjs', import.meta.url));

export interface ServeOptions {
  /** Path of the definitions file. */
  readonly config: string;
  readonly data: string;
  /** The same for every process that takes the place of one before, so that clients find it. */
  readonly port: number;
  /** Absent: the embedded log. */
  readonly nats?: string;
  /** A command that runs the one behind it. @default none */
  readonly enter?: readonly string[];
}

/** One of the causes for which `/readyz` answers 503. */
export interface NotReadyReason {
  readonly cause: string;
  readonly where?: string;
  readonly message: string;
  readonly since: string;
}

/** One line of its log. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly code?: string;
  /** Of a condition that begins or is over. */
  readonly cause?: string;
  readonly url?: string;
  readonly where?: string;
}

const LEVEL_WARN = 40;

export class ServeProcess {
  readonly url: string;
  readonly lines: LogLine[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #rest = '';
  #raw = '';

  constructor(options: ServeOptions) {
    const { config, data, port, nats, enter = [] } = options;
    this.url = `http://127.0.0.1:${port}`;
    const args = ['serve', '--config', config, '--data', data, '--port', String(port)];
    if (nats !== undefined) args.push('--nats', nats);
    const isOurs = ([name]: [string, unknown]) => name.startsWith('LAPSE_') || name === 'NATS_URL';
    const environment = Object.fromEntries(
      Object.entries(process.env).filter((one) => !isOurs(one)),
    );
    const [program, ...rest] = [...enter, process.execPath, LAPSE, ...args];
    this.#child = spawn(program!, rest, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...environment, LAPSE_LOG_LEVEL: 'info', LAPSE_EGRESS_ALLOW: '127.0.0.1' },
    });
    this.#exited = once(this.#child, 'close').then(() => undefined);
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#read(chunk.toString()));
  }

  /** Undefined while it runs, and when a signal ended it. */
  get exitCode(): number | undefined {
    return this.#child.exitCode ?? undefined;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** It has said that it takes events. */
  get isReady(): boolean {
    return this.lines.some(({ url }) => url !== undefined);
  }

  /** Warnings and errors; not what is said at start of a server that could be better. */
  get warnings(): LogLine[] {
    return this.lines.filter(
      ({ level, code, cause }) => level >= LEVEL_WARN && (code ?? cause) !== undefined,
    );
  }

  /** How often a condition was told to begin, and to be over. */
  told(cause: string): { began: number; over: number } {
    const lines = this.lines.filter((line) => line.cause === cause);
    const began = lines.filter(({ level }) => level >= LEVEL_WARN).length;
    return { began, over: lines.length - began };
  }

  /** Everything that it wrote to stderr. */
  get output(): string {
    return this.#raw;
  }

  /** Resolves once it takes events. @throws Error when it ended before */
  async ready(timeoutMs = 30_000): Promise<this> {
    await until(
      'serve takes events',
      () => {
        if (this.hasEnded) throw new Error(`serve ended at start:\n${this.#raw}`);
        return this.isReady;
      },
      { timeoutMs, describe: () => this.#raw },
    );
    return this;
  }

  line(code: string): LogLine | undefined {
    return this.lines.find((line) => line.code === code);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Stops it where it stands, as a paused machine does; it notices nothing. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Asks it to end. @returns the exit code */
  async stop(timeoutMs = 20_000): Promise<number | undefined> {
    this.#child.kill('SIGTERM');
    return await this.ended(timeoutMs);
  }

  async ended(timeoutMs = 20_000): Promise<number | undefined> {
    await until('serve ends', () => this.hasEnded, { timeoutMs, describe: () => this.#raw });
    await this.#exited;
    return this.exitCode;
  }

  async readyz(): Promise<{ status: number; reasons: readonly NotReadyReason[] } | undefined> {
    try {
      const response = await fetch(`${this.url}/readyz`);
      const { reasons } = (await response.json()) as { reasons: readonly NotReadyReason[] };
      return { status: response.status, reasons };
    } catch {
      return undefined;
    }
  }

  /** The sum over all labels of a metric; 0 when it has no samples. */
  async metric(name: string): Promise<number> {
    const text = await this.#metrics();
    const samples = text.split('\n').filter((line) => /^[a-z_]+/.exec(line)?.[0] === name);
    return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  async #metrics(): Promise<string> {
    const ask = async () => (await fetch(`${this.url}/metrics`)).text();
    try {
      return await ask();
    } catch {
      // A kept-alive connection may have been closed just then; a new one tells.
      return await ask().catch((error: unknown) => {
        const state = this.hasEnded ? `ended with ${this.exitCode}` : 'runs';
        throw new Error(`/metrics must answer, serve ${state}:\n${this.#raw}`, { cause: error });
      });
    }
  }

  #read(text: string): void {
    this.#raw += text;
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop()!;
    for (const part of parts) {
      if (part.startsWith('{')) this.lines.push(JSON.parse(part) as LogLine);
    }
  }
}
