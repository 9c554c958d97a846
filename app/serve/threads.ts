import { join } from 'node:path';
import { type MessagePort, Worker } from 'node:worker_threads';
import type { RuntimeSettings } from '../../config/definitions/runtime.ts';
import { type LapseError, userError } from '../../engine/errors/errors.ts';
import type { Cause } from '../../engine/health/causes.ts';
import { applyReport, type Conditions } from '../../engine/health/conditions.ts';
import type { EventQuery, EventStanding } from '../../engine/intake/event-standing.ts';
import type {
  FromSenderThread,
  SenderStats,
  ToSenderThread,
} from '../../engine/sender/protocol.ts';
import type { Alias } from '../../engine/state/alias-table.ts';
import type { FingerprintKey } from '../../engine/state/fingerprints.ts';
import { partitionOf } from '../../engine/state/hash.ts';
import { errorOfThread } from '../../engine/worker/partition-worker.ts';
import type {
  FromPartitionWorker,
  PartitionStats,
  TickRequest,
  ToWorker,
} from '../../engine/worker/protocol.ts';
import type { PipelineQuery } from '../../operators/campaign-pipeline.ts';
import { addedUp, type GraphDescription } from '../../operators/graph/describe.ts';
import type { ReportPart } from '../../operators/report/campaign-report.ts';
import { CHECKPOINT_FOLDER } from './data-folder.ts';
import type { LogHome } from './log-home.ts';
import type { PartitionThreadData } from './partition-thread.ts';
import type { SenderDefinitions, SenderThreadData } from './sender-thread.ts';

/** What threads tell the main thread besides their counts. */
export interface ThreadListener {
  readonly conditions: Conditions;
  onAliases(aliases: readonly Alias[]): void;
  /** See `Intake.moved`. */
  onMoved(arrivals: readonly string[]): void;
  onTicks(ticks: readonly TickRequest[]): void;
  onWarning(where: string, error: LapseError): void;
  /** The thread cannot go on, and so the process must not. */
  onFailure(error: LapseError): void;
}

export interface SenderListener {
  /** A campaign has delivered all that its cap allows; told again after a restart. */
  onCompleted(campaign: string): void;
}

/** The log and by which epoch this process owns it. */
export interface Owner {
  readonly home: LogHome;
  readonly epoch: number;
  /** Of the log, see `logIdentity`. */
  readonly fingerprintKey: FingerprintKey;
}

const SENDER_NAME = 'lapse-sender';
const OUT_OF_MEMORY = 'ERR_WORKER_OUT_OF_MEMORY';

/** A thread with its life: ready, drained, failed. */
export class Thread<Message extends { readonly kind: string }> {
  readonly #worker: Worker;
  readonly name: string;
  readonly ready: Promise<void>;
  readonly #drained: Promise<void>;
  #isDraining = false;
  #hasFailed = false;

  constructor(
    options: {
      /** Begins when it fails. */
      readonly failure: Cause;
      readonly module: string;
      readonly name: string;
      readonly data: unknown;
      readonly transfer: MessagePort[];
    },
    listener: ThreadListener,
    onMessage: (message: Message) => void,
  ) {
    const { module, name, data, transfer } = options;
    this.name = name;
    this.#worker = new Worker(new URL(module, import.meta.url), {
      name,
      workerData: data,
      transferList: transfer,
    });
    let resolveDrained = () => {};
    this.#drained = new Promise((resolve) => {
      resolveDrained = resolve;
    });
    this.ready = new Promise((resolve, reject) => {
      const fail = (error: LapseError) => {
        this.#hasFailed = true;
        listener.conditions.from(name).begin(options.failure, '', error.message);
        reject(error);
        resolveDrained();
        listener.onFailure(error);
      };
      this.#worker.on('message', (message: Message) => {
        if (message.kind === 'ready') resolve();
        else if (message.kind === 'drained') resolveDrained();
        else if (message.kind === 'failed') {
          fail(
            errorOfThread(
              (message as unknown as { error: Parameters<typeof errorOfThread>[0] }).error,
            ),
          );
        } else onMessage(message);
      });
      this.#worker.on('error', (error: NodeJS.ErrnoException) => fail(crashOf(name, error)));
      this.#worker.on('exit', (code) => {
        if (!this.#isDraining) fail(crashOf(name, new Error(`it ended with code ${code}`)));
        resolveDrained();
      });
    });
    this.ready.catch(() => undefined);
  }

  post(message: ToWorker | ToSenderThread<SenderDefinitions>): void {
    this.#worker.postMessage(message);
  }

  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#worker.postMessage({ kind: 'drain' });
    await this.#drained;
    // One that has failed may wait for what never comes, and would keep the process alive. The next
    // owner goes on from the log, as after a crash.
    if (this.#hasFailed) await this.#worker.terminate();
  }

  async terminate(): Promise<void> {
    this.#isDraining = true;
    await this.#worker.terminate();
  }
}

function crashOf(name: string, error: NodeJS.ErrnoException): LapseError {
  if (error.code === OUT_OF_MEMORY) {
    return userError(
      'ERR_OUT_OF_MEMORY',
      `The thread ${name} has used up its heap; give Node.js more with --max-old-space-size.`,
    );
  }
  return errorOfThread({
    code: 'ERR_THREAD',
    message: `The thread ${name} must run, it does not: ${error.stack ?? error.message}`,
    domain: 'internal',
  });
}

/** The threads with partitions, partition p in thread p mod n. */
export class PartitionThreads {
  readonly #threads: Thread<FromPartitionWorker>[];
  readonly stats: (PartitionStats | undefined)[] = [];
  readonly #describing = new Map<number, (pipelines: readonly unknown[]) => void>();
  #descriptions = 0;
  readonly #asking = new Map<number, (standings: readonly EventStanding[]) => void>();
  #questions = 0;
  readonly #partitionCount: number;

  /** @param onProcessed told now and then how many records they have processed of what came in */
  constructor(
    { home, epoch, fingerprintKey }: Owner,
    settings: RuntimeSettings,
    listener: ThreadListener,
    onProcessed: (records: number) => void,
  ) {
    const { workers, partitions, checkpointIntervalMs, reorderWindowMs, messageIdsMax } =
      settings.engine;
    const count = Math.min(workers, partitions);
    this.#partitionCount = partitions;
    this.#threads = Array.from({ length: count }, (_, index) => {
      const { address, transfer } = home.address();
      const data: PartitionThreadData = {
        log: address,
        epoch,
        partitions: Array.from({ length: partitions }, (_, p) => p).filter(
          (p) => p % count === index,
        ),
        checkpointFolder: join(settings.data, CHECKPOINT_FOLDER),
        checkpointIntervalMs,
        reorderWindowMs,
        fingerprintKey,
        messageIdsMax: Math.ceil(messageIdsMax / partitions),
      };
      const options = {
        failure: 'partition-stopped' as const,
        module: './partition-thread.js',
        name: `lapse-partitions-${index}`,
        data,
        transfer,
      };
      return new Thread<FromPartitionWorker>(options, listener, (message) => {
        if (message.kind === 'ticks') listener.onTicks(message.ticks);
        else if (message.kind === 'aliases') listener.onAliases(message.aliases);
        else if (message.kind === 'moved') listener.onMoved(message.arrivals);
        else if (message.kind === 'answered') this.#answered(message.id, message.standings);
        else if (message.kind === 'described') this.#described(message.id, message.pipelines);
        else if (message.kind === 'condition') {
          applyReport(listener.conditions.from(options.name), message.report);
        } else if (message.kind === 'stats') {
          this.stats[index] = message.stats;
          onProcessed(this.stats.reduce((sum, one) => sum + (one?.recordsProcessed ?? 0), 0));
        } else if (message.kind === 'warning') {
          listener.onWarning(`partition ${message.partition}`, errorOfThread(message.error));
        }
      });
    });
  }

  /** The dataflow graph with the records that have passed its edges in this process. */
  async graph(): Promise<GraphDescription> {
    return addedUp((await this.#askAll({ type: 'graph' })) as GraphDescription[]);
  }

  /** See `AskPartitions`; one that is not answered before its thread ends stays open. */
  async ask(queries: readonly EventQuery[]): Promise<readonly EventStanding[]> {
    const threads = this.#threads.length;
    const places: number[][] = this.#threads.map(() => []);
    for (const [i, { userId }] of queries.entries()) {
      places[partitionOf(userId, this.#partitionCount) % threads]!.push(i);
    }
    const standings: EventStanding[] = queries.map(() => 'new');
    const asked = places.map(async (place, t) => {
      if (place.length === 0) return;
      const answers = await this.#askThread(
        this.#threads[t]!,
        place.map((i) => queries[i]!),
      );
      for (const [k, i] of place.entries()) standings[i] = answers[k]!;
    });
    await Promise.all(asked);
    return standings;
  }

  #askThread(
    thread: Thread<FromPartitionWorker>,
    queries: readonly EventQuery[],
  ): Promise<readonly EventStanding[]> {
    return new Promise((resolve) => {
      const id = ++this.#questions;
      this.#asking.set(id, resolve);
      thread.post({ kind: 'ask', id, queries });
    });
  }

  #answered(id: number, standings: readonly EventStanding[]): void {
    this.#asking.get(id)?.(standings);
    this.#asking.delete(id);
  }

  /** What reports have counted of a campaign, a part for each partition. */
  async report(campaign: string): Promise<ReportPart[]> {
    return (await this.#askAll({ type: 'report', campaign })) as ReportPart[];
  }

  async #askAll(query: PipelineQuery): Promise<readonly unknown[]> {
    const parts = this.#threads.map((thread) => this.#describe(thread, query));
    return (await Promise.all(parts)).flat();
  }

  #describe(
    thread: Thread<FromPartitionWorker>,
    query: PipelineQuery,
  ): Promise<readonly unknown[]> {
    return new Promise((resolve) => {
      const id = ++this.#descriptions;
      this.#describing.set(id, resolve);
      thread.post({ kind: 'describe', id, query });
    });
  }

  #described(id: number, pipelines: readonly unknown[]): void {
    this.#describing.get(id)?.(pipelines);
    this.#describing.delete(id);
  }

  get names(): readonly string[] {
    return this.#threads.map(({ name }) => name);
  }

  async ready(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.ready));
  }

  async drain(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.drain()));
  }

  async terminate(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}

/** The thread of all lanes, so that TLS never delays a timer. */
export class SenderThread {
  readonly #thread: Thread<FromSenderThread>;
  readonly name = SENDER_NAME;
  stats: SenderStats | undefined;
  /** By the id of what the lanes were told, who waits for it. */
  readonly #defining = new Map<number, () => void>();
  #definedCount = 0;

  constructor(
    { home, epoch }: Owner,
    options: Pick<SenderThreadData, 'sending' | 'userAgent' | 'egress'>,
    listener: ThreadListener & SenderListener,
  ) {
    const { address, transfer } = home.address();
    const data: SenderThreadData = { log: address, epoch, ...options };
    this.#thread = new Thread<FromSenderThread>(
      { failure: 'sender-stuck', module: './sender-thread.js', name: SENDER_NAME, data, transfer },
      listener,
      (message) => {
        if (message.kind === 'stats') this.stats = message.stats;
        else if (message.kind === 'defined') this.#defined(message.id);
        else if (message.kind === 'completed') listener.onCompleted(message.campaign);
        else if (message.kind === 'condition') {
          applyReport(listener.conditions.from(SENDER_NAME), message.report);
        } else if (message.kind === 'warning') {
          listener.onWarning(`webhook ${message.lane}`, errorOfThread(message.error));
        }
      },
    );
  }

  ready(): Promise<void> {
    return this.#thread.ready;
  }

  /** Resolves when all lanes go by it. */
  define(definitions: SenderDefinitions): Promise<void> {
    const id = ++this.#definedCount;
    return new Promise((resolve) => {
      this.#defining.set(id, resolve);
      this.#thread.post({ kind: 'define', id, definitions });
    });
  }

  #defined(id: number): void {
    this.#defining.get(id)?.();
    this.#defining.delete(id);
  }

  drain(): Promise<void> {
    return this.#thread.drain();
  }

  terminate(): Promise<void> {
    return this.#thread.terminate();
  }
}
