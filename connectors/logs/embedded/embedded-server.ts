/** Starts and ends the storage thread of an embedded log, and gives other threads its address. */
import { realpathSync } from 'node:fs';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { externalError, LapseError, messageOf } from '../../../engine/errors/errors.ts';
import type { EmbeddedLogAddress } from './embedded-log.ts';
import { type FolderLock, lockFolder } from './folder-lock.ts';
import type { Durability } from './lmdb-schema.ts';
import type { FromStorageThread, StorageThreadData, ToStorageThread } from './storage-protocol.ts';

export interface EmbeddedLogOptions {
  /** Made if it is not there. */
  readonly directory: string;
  /** Fixed when the log was created. */
  readonly partitionCount: number;
  /**
   * What an acknowledged append survives: 'disk' a power loss (one sync a commit), 'process' the
   * death of this process but not of the machine. @default 'disk'
   */
  readonly durability?: Durability;
  /** Bytes of envelopes kept at most; appends beyond it are refused. @default no limit */
  readonly bytesMax?: number;
  /** Called once when the storage thread ends without having been asked to. */
  readonly onFailure?: (error: LapseError) => void;
  /** The built storage thread; only code that runs unbuilt has to say. */
  readonly workerUrl?: URL;
}

export interface EmbeddedLogServer {
  /** Differs for every log ever created. */
  readonly id: string;
  /** Of one new connection; post it to the thread that is to connect. */
  address(): { readonly address: EmbeddedLogAddress; readonly transfer: MessagePort[] };
  /** Commits what has arrived, ends the thread, gives the folder free. Close the clients first. */
  close(): Promise<void>;
}

/**
 * @throws LapseError `ERR_DATA_DIR`, `ERR_DATA_IN_USE`, `ERR_LOG_VERSION`, `ERR_PARTITION_COUNT`,
 *   `ERR_LOG_UNAVAILABLE`
 */
export async function startEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLogServer> {
  const lock = lockFolder(options.directory);
  try {
    // One spelling of the folder in all threads, so that they share one environment.
    const directory = realpathSync(options.directory);
    return await startThread({ ...options, directory }, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startThread(
  options: EmbeddedLogOptions,
  lock: FolderLock,
): Promise<EmbeddedLogServer> {
  const { directory, partitionCount, durability = 'disk' } = options;
  const workerData: StorageThreadData = {
    directory,
    partitionCount,
    durability,
    bytesMax: options.bytesMax ?? Number.MAX_SAFE_INTEGER,
    ownerToken: lock.token,
  };
  const workerUrl = options.workerUrl ?? new URL('./storage-worker.js', import.meta.url);
  const worker = new Worker(workerUrl, { workerData, name: 'lapse-log' });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const id = await ready(worker).catch(async (error: unknown) => {
    await worker.terminate();
    throw error;
  });
  let isClosing = false;
  let failure: LapseError | undefined;
  worker.on('message', (message: FromStorageThread) => {
    if (message.kind === 'failed') failure = errorOf(message);
  });
  // Without a listener an error of the thread would end the process.
  worker.on('error', (error) => {
    failure ??= endedError(messageOf(error));
  });
  worker.once('exit', () => {
    lock.release();
    if (!isClosing) options.onFailure?.(failure ?? endedError('it was ended'));
  });
  const post = (message: ToStorageThread, transfer: MessagePort[] = []) =>
    worker.postMessage(message, transfer);
  return {
    id,
    address() {
      const { port1, port2 } = new MessageChannel();
      post({ kind: 'connect', port: port2 }, [port2]);
      const address = { kind: 'embedded', directory, durability, partitionCount, port: port1 };
      return { address: address as EmbeddedLogAddress, transfer: [port1] };
    },
    async close() {
      if (!isClosing) {
        isClosing = true;
        post({ kind: 'close' });
      }
      await exited;
    },
  };
}

function ready(worker: Worker): Promise<string> {
  return new Promise((resolve, reject) => {
    worker.once('message', (message: FromStorageThread) => {
      if (message.kind === 'ready') resolve(message.id);
      else reject(errorOf(message));
    });
    worker.once('error', (error) => reject(endedError(messageOf(error))));
    worker.once('exit', () => reject(endedError('it ended')));
  });
}

function errorOf({ error }: Extract<FromStorageThread, { kind: 'failed' }>): LapseError {
  const { code, message, ...details } = error;
  return new LapseError(code, message, details);
}

function endedError(reason: string): LapseError {
  return externalError(
    'ERR_LOG_UNAVAILABLE',
    `The storage thread of the log must run, it does not: ${reason}.`,
  );
}
