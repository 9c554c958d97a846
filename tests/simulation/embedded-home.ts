import { EmbeddedLog } from '../../connectors/logs/embedded/embedded-log.ts';
import { Storage } from '../../connectors/logs/embedded/storage.ts';
import { StorageService } from '../../connectors/logs/embedded/storage-service.ts';
import type { Log } from '../../engine/log/log.ts';
import type { Archive } from './archive.ts';
import { Life, type Scheduler } from './scheduler.ts';
import type { DiskFaults } from './simulated-disk.ts';
import type { Connecting, SimulatedHome } from './simulated-home.ts';
import { SimulatedLmdb } from './simulated-lmdb.ts';
import type { LogFaults } from './simulated-log.ts';
import { simulatedPorts } from './simulated-port.ts';
import { SimulatedWriteAhead } from './simulated-write-ahead.ts';

/** Named in sentences only: there is no disk. */
const FOLDER = 'log';
/** Of a half of what is written ahead: so few that most commits do not fit, some, or enough. */
const AHEAD_BYTES = [2_048, 16_384, 2 ** 20];

/** A process's storage thread. */
interface Service {
  readonly life: Life;
  readonly service: StorageService;
}

/**
 * The embedded log: its real client, its real storage with the protocol between them, over
 * simulated ports and tables. Every process has a storage thread of its own; of two, the one that
 * opened the tables last owns them.
 */
export class EmbeddedHome implements SimulatedHome {
  readonly name = 'embedded';
  readonly #scheduler: Scheduler;
  readonly #faults: LogFaults;
  readonly #lmdb: SimulatedLmdb;
  readonly #writeAhead: SimulatedWriteAhead;
  readonly #aheadBytes: number;
  readonly #services = new Map<Life, Service>();

  constructor(
    scheduler: Scheduler,
    faults: { readonly log: LogFaults; readonly disk: DiskFaults },
    archive: Archive,
  ) {
    this.#scheduler = scheduler;
    this.#faults = faults.log;
    this.#lmdb = new SimulatedLmdb(scheduler, faults.disk, archive);
    this.#writeAhead = new SimulatedWriteAhead(scheduler, faults.disk, {
      archive,
      lmdb: this.#lmdb,
    });
    this.#aheadBytes = scheduler.prng.pick(AHEAD_BYTES);
  }

  away(ms: number): void {
    this.#lmdb.fullUntilMs = this.#scheduler.nowMs + ms;
  }

  async connect(connecting: Connecting): Promise<Log> {
    const { life, partitionCount } = connecting;
    const { service, life: storageLife } = this.#serviceOf(connecting);
    const slowMs = () => this.#faults.slowMs;
    const [port, far] = simulatedPorts(this.#scheduler, slowMs, [life, storageLife]);
    service.connect(far);
    const tables = this.#lmdb.tables();
    const letGo = () => Promise.resolve();
    return new EmbeddedLog({ partitionCount, port, directory: FOLDER, tables, letGo });
  }

  #serviceOf({ root, clock, partitionCount, onFailure }: Connecting): Service {
    const known = this.#services.get(root);
    if (known !== undefined) return known;
    const storage = new Storage(
      {
        directory: FOLDER,
        partitionCount,
        durability: 'disk',
        bytesMax: Number.MAX_SAFE_INTEGER,
        ownerToken: root.name,
      },
      clock,
      {
        tables: this.#lmdb.tables(),
        room: this.#lmdb.room,
        writeAhead: this.#writeAhead,
        sync: () => undefined,
      },
      this.#aheadBytes,
    );
    const life = new Life(`${root.name}.log`);
    root.onEnd.push(() => life.end());
    const service = new StorageService({ storage, clock, onFailure });
    this.#services.set(root, { life, service });
    return { life, service };
  }
}
