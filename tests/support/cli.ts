/** The command line as people run it: the built program, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

const LAPSE = fileURLToPath(new URL('../../bin/lapse.mjs', import.meta.url));

/** Said when a source is newer than the build, which is no business of a test of commands. */
const SETTING_UP = /^(?:Building|Installing packages) (?:…|done in .*)\n/gm;

export interface CliOptions {
  /** Added to this process's environment; settings of Lapse in that are left out. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
}

export interface CliResult {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function lapse(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return new CliProcess(args, options).ended();
}

export class CliProcess {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(args: readonly string[], { env = {}, stdin, cwd }: CliOptions = {}) {
    const isOurs = ([name]: [string, unknown]) => name.startsWith('LAPSE_') || name === 'NATS_URL';
    const around = Object.fromEntries(Object.entries(process.env).filter((one) => !isOurs(one)));
    this.#child = spawn(process.execPath, [LAPSE, ...args], {
      stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { ...around, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.#closed = once(this.#child, 'close');
    if (stdin !== undefined) this.#child.stdin?.end(stdin);
  }

  /** The first match in what it has written to either stream. @throws Error when it ended without */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const found = () => pattern.exec(`${this.stdout}\n${this.stderr}`);
    const said = await until(
      `lapse says ${pattern}`,
      async () => {
        if (found() === null && this.#hasEnded) {
          await this.#closed;
          if (found() === null) throw new Error(`it ended:\n${this.stdout}\n${this.stderr}`);
        }
        return found() ?? undefined;
      },
      { describe: () => `${this.stdout}\n${this.stderr}` },
    );
    return said;
  }

  /** Closes our end of its standard output, as `head` does. */
  closeStdout(): void {
    this.#child.stdout?.destroy();
  }

  async ended(): Promise<CliResult> {
    await this.#closed;
    const exitCode = this.#child.exitCode ?? undefined;
    return { exitCode, stdout: this.stdout, stderr: this.stderr.replace(SETTING_UP, '') };
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<CliResult> {
    this.#child.kill(signal);
    return this.ended();
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
