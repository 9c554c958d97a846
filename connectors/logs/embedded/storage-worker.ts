/** The storage thread: wires the one writer of an embedded log to the ports of its clients. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../engine/time/clock.ts';
import { Storage } from './storage.ts';
import type { FromStorageThread, StorageThreadData, ToStorageThread } from './storage-protocol.ts';
import { partsOf, StorageService } from './storage-service.ts';

function tellParent(message: FromStorageThread): void {
  parentPort!.postMessage(message);
}

function fail(error: unknown): never {
  tellParent({ kind: 'failed', error: partsOf(error) });
  // Thrown out of the thread, which ends it; the ports close behind it.
  throw error;
}

try {
  const storage = new Storage(workerData as StorageThreadData, systemClock);
  const service = new StorageService({ storage, clock: systemClock, onFailure: fail });
  parentPort!.on('message', (message: ToStorageThread) => {
    if (message.kind === 'connect') return service.connect(message.port);
    service.close().then(() => parentPort!.close(), fail);
  });
  tellParent({ kind: 'ready', id: storage.id });
} catch (error) {
  tellParent({ kind: 'failed', error: partsOf(error) });
}
