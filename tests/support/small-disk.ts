/**
 * A disk of a few MiB that a test may fill: a tmpfs in a mount namespace of its own, so that no
 * rights are needed. Others reach it through the folder of the process that holds it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CHUNK_BYTES = 64 * 1024;
const MOUNTED = 'mounted';

export class SmallDisk {
  /** As everybody sees it. */
  readonly folder: string;
  /** As a process sees it that is started behind `enter`. */
  readonly mountPoint: string;
  /** The command and arguments that run another one in the namespace. */
  readonly enter: readonly string[];
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess, mountPoint: string) {
    this.#holder = holder;
    const target = ['--target', `${holder.pid}`];
    this.mountPoint = mountPoint;
    this.folder = join(`/proc/${holder.pid}/root`, mountPoint);
    this.enter = ['nsenter', ...target, '--user', '--mount', '--preserve-credentials'];
  }

  /** @returns undefined where the system gives nobody a namespace of his own; says so aloud */
  static async mount(bytes: number): Promise<SmallDisk | undefined> {
    const mountPoint = mkdtempSync(join(tmpdir(), 'lapse-disk-'));
    const script = `mount -t tmpfs -o size=${bytes} tmpfs ${mountPoint} && echo ${MOUNTED} && exec cat`;
    const holder = spawn('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', script]);
    const errors: Buffer[] = [];
    holder.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    const isMounted = await new Promise<boolean>((resolve) => {
      holder.stdout.on('data', (chunk: Buffer) => resolve(chunk.toString().includes(MOUNTED)));
      holder.once('error', () => resolve(false));
      holder.once('exit', () => resolve(false));
    });
    if (isMounted) return new SmallDisk(holder, mountPoint);
    rmSync(mountPoint, { recursive: true });
    console.warn(
      `No small disk can be made here, so full disks are NOT tested: ${errors.join('')}`,
    );
    return undefined;
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Takes all the room that is left. */
  fill(): void {
    const file = openSync(this.#fillerPath, 'a');
    try {
      for (;;) writeSync(file, new Uint8Array(CHUNK_BYTES));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Gives it back. */
  free(): void {
    rmSync(this.#fillerPath, { force: true });
  }

  async unmount(): Promise<void> {
    const exited = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await exited;
    rmSync(this.mountPoint, { recursive: true });
  }

  get #fillerPath(): string {
    return join(this.folder, 'filler');
  }
}
