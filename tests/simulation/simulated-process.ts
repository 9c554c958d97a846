import { RequestIntake } from '../../connectors/doors/http/http-events.ts';
import type { NatsDoor } from '../../connectors/doors/nats/nats-door.ts';
import type { StreamPosition } from '../../connectors/doors/nats/source-position.ts';
import { RejectedStore } from '../../connectors/doors/rejected.ts';
import { DEFAULT_EVENT_LIMITS } from '../../connectors/events/event-limits.ts';
import { noRepairs } from '../../connectors/events/repairs.ts';
import type { CheckpointDisk } from '../../engine/checkpoint/checkpoint-disk.ts';
import { CheckpointStore } from '../../engine/checkpoint/checkpoint-store.ts';
import { RecordKind } from '../../engine/envelope/records.ts';
import { LapseError, messageOf } from '../../engine/errors/errors.ts';
import { Acknowledgement, Intake } from '../../engine/intake/intake.ts';
import type { Log } from '../../engine/log/log.ts';
import { takeEpoch } from '../../engine/log/ownership.ts';
import { PartitionRunner } from '../../engine/partition/partition-runner.ts';
import { silentObserver } from '../../engine/sender/observer.ts';
import { Sender } from '../../engine/sender/sender.ts';
import type { Transport } from '../../engine/sender/transport.ts';
import type { Clock } from '../../engine/time/clock.ts';
import { TurnLoop } from '../../engine/worker/turn-loop.ts';
import { campaignCounters } from '../../operators/campaign-counters.ts';
import { type Control, campaignPipeline } from '../../operators/campaign-pipeline.ts';
import type { Definitions } from '../../operators/definitions.ts';
import type { LaneDefinitions } from '../../operators/delivery/lane-campaigns.ts';
import { laneDefinitions } from '../../operators/delivery/lane-definitions.ts';
import { LogLane } from '../../operators/delivery/log-lane.ts';
import { partitionDefinitions } from '../../operators/partition-definitions.ts';
import type { Report } from '../../operators/report/decision.ts';
import type { Life as CampaignLife } from '../../operators/router/campaign-entry.ts';
import type { EventServer } from './event-server.ts';
import { Life, type Scheduler } from './scheduler.ts';
import type { Connecting } from './simulated-home.ts';
import { openNatsDoor } from './simulated-nats-door.ts';
import type { PlannedAction } from './workload.ts';

/** Small ones, so that a run of a hundred events meets them. */
export interface ProcessLimits {
  readonly inFlightBytesMax: number;
  readonly appendsMax: number;
  readonly deliveriesMax: number;
  readonly snapshotEvery: number;
  readonly doneRecordsKept: number;
  readonly checkpointIntervalMs: number;
}

export interface ProcessOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly partitionCount: number;
  readonly limits: ProcessLimits;
  readonly connect: (connecting: Connecting) => Promise<Log>;
  readonly clockOf: (life: Life) => Clock;
  /** Where the NATS door reads; undefined: there is none. */
  readonly events: EventServer | undefined;
  readonly diskOf: (life: Life) => CheckpointDisk;
  readonly transportOf: (life: Life) => Transport;
  readonly onReport: (life: string, partition: number, offset: number, report: Report) => void;
  readonly tell: (what: string) => void;
  /** A failure that must not be, whatever the world does. */
  readonly onBug: (what: string) => void;
}

/** What the world may do to a process: everything else is a bug. */
const EXPECTED_FAILURES = new Set([
  'ERR_LOG_UNAVAILABLE',
  'ERR_LOG_FULL',
  'ERR_FENCED',
  'ERR_EPOCH_TAKEN',
  'ERR_DATA_IN_USE',
  // The look at the server at a start does not tell silence from a refusal.
  'ERR_NATS_NO_JETSTREAM',
  'ERR_NATS_UNAVAILABLE',
  // So is the making of a stream that nobody confirms.
  'ERR_NATS_STREAM',
  'ERR_LANES_STOPPED',
  'ERR_STOPPING',
  'ERR_CHECKPOINT_WRITE',
  'ENOSPC',
  'EIO',
]);
const OPENING_MAX = 4;

/** What a door answers. */
export interface DoorAnswer {
  readonly status: number;
  readonly receivedAtMs?: number;
  readonly rejected?: readonly number[];
}

/**
 * One process as `serve` wires it: door, intake, the thread with the partitions, the sender's.
 * Threads are lives of one scheduler here; each has a connection of its own.
 */
export class SimulatedProcess {
  readonly life: Life;
  readonly senderLife: Life;
  readonly #options: ProcessOptions;
  readonly loop: TurnLoop;
  readonly clock: Clock;
  #intake: Intake | undefined;
  #door: RequestIntake | undefined;
  #rejected: RejectedStore | undefined;
  #sender: Sender<LaneDefinitions> | undefined;
  #natsDoor: NatsDoor | undefined;
  #logs: Log[] = [];
  #requestCount = 0;
  #toldMs = 0;
  isReady = false;
  isStopping = false;
  /** Step of the run at which another one was started beside it. */
  takenOverStep = Number.POSITIVE_INFINITY;
  /** Step of the run at which a stop had ended as it should. */
  stoppedStep: number | undefined;
  readonly counters = campaignCounters();
  checkpointFailures = 0;

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.life = new Life(options.name);
    this.senderLife = new Life(`${options.name}.sender`);
    this.clock = options.clockOf(this.life);
    const { scheduler } = options;
    let monotonicMs = 0;
    this.loop = new TurnLoop({
      clock: this.clock,
      // Now and then a turn ends in the midst of an envelope.
      monotonicMs: () => {
        if (scheduler.prng.chance(0.02)) monotonicMs += 3;
        return monotonicMs;
      },
      defer: (turn) => setImmediate(turn),
      requestTick: (partition, atMs) => this.#requestTick(partition, atMs),
      onCheckpointFailure: (partition, error) => {
        this.checkpointFailures++;
        this.#expect(error, `checkpoint of partition ${partition}`);
      },
      checkpointIntervalMs: options.limits.checkpointIntervalMs,
    });
  }

  get intake(): Intake | undefined {
    return this.#intake;
  }

  get runners(): PartitionRunner[] {
    return this.loop.runners;
  }

  pendingCounts(): Map<string, number> {
    return this.#sender?.pendingCounts() ?? new Map();
  }

  /** The order of `serve`: sender and partitions, then the definitions, then the door. */
  start(definitions: Definitions, lives: ReadonlyMap<string, CampaignLife>): void {
    this.#start(definitions, lives).then(
      () => {
        this.isReady = true;
        this.#options.tell('is ready');
      },
      (error: unknown) => this.fail(error, 'start'),
    );
  }

  async #start(definitions: Definitions, lives: ReadonlyMap<string, CampaignLife>): Promise<void> {
    const { limits } = this.#options;
    const log = await this.#connect(this.life);
    const intake = new Intake({
      log,
      clock: this.clock,
      inFlightBytesMax: limits.inFlightBytesMax,
      appendsMax: limits.appendsMax,
    });
    this.#intake = intake;
    this.#rejected = new RejectedStore({ log, clock: this.clock, recordsMax: 3 });
    await this.#rejected.open();
    this.#door = new RequestIntake({
      intake,
      rejected: this.#rejected,
      limits: DEFAULT_EVENT_LIMITS,
      repairs: noRepairs(),
    });
    // Before anybody can ask for a tick: what waits in NATS is older.
    await this.#openNatsDoor(log);
    const epoch = await takeEpoch(log, this.clock);
    await Promise.all([
      this.#startSender(laneDefinitions(definitions, lives), epoch),
      this.#openPartitions(epoch),
    ]);
    await this.redefine(definitions, lives);
    this.#natsDoor?.start();
  }

  async #openNatsDoor(log: Log): Promise<void> {
    const { events, tell, scheduler } = this.#options;
    if (events === undefined) return;
    this.#natsDoor = await openNatsDoor({
      connection: events.connect(this.life),
      intake: this.#intake!,
      log,
      clock: this.clock,
      rejected: this.#rejected!,
      conditions: {
        begin: (_cause, _where, message) => {
          scheduler.coverage.met('NATS door in trouble');
          tell(`NATS door: ${message}`);
        },
        over() {},
      },
      onReadAgain: () => scheduler.coverage.met('NATS door read again what was not stored'),
      onNotice: ({ message }) => {
        scheduler.coverage.met('NATS door read a stream made anew');
        tell(`NATS door: ${message}`);
      },
    });
  }

  /** Of the messages of the NATS door, all up to this one are durable. */
  get natsPosition(): StreamPosition | undefined {
    return this.#natsDoor?.position;
  }

  /** Every thread has a connection of its own. */
  async #connect(life: Life): Promise<Log> {
    const { connect, clockOf, partitionCount } = this.#options;
    const log = await connect({
      life,
      root: this.life,
      clock: clockOf(life),
      partitionCount,
      onFailure: (error) => this.fail(error, 'log'),
    });
    this.#logs.push(log);
    return log;
  }

  async #startSender(
    definitions: ReadonlyMap<string, LaneDefinitions>,
    epoch: number,
  ): Promise<void> {
    const { clockOf, transportOf, limits } = this.#options;
    const life = this.senderLife;
    const log = await this.#connect(life);
    this.#sender = new Sender<LaneDefinitions>({
      log,
      clock: clockOf(life),
      epoch,
      transport: transportOf(life),
      observer: {
        ...silentObserver,
        laneFailed: (lane, error) => {
          // As the sender's thread says it: a process whose lane is taken is at its end.
          if (error.code === 'ERR_FENCED') this.fail(error, `lane ${lane}`);
          this.#expect(error, `lane ${lane}`);
          this.#options.tell(`lane ${lane} failed: ${error.message}`);
        },
      },
      createLane: (_webhookId, lane) =>
        new LogLane({ ...lane, userAgent: 'Lapse/test', deliveriesMax: limits.deliveriesMax }),
      snapshotEvery: limits.snapshotEvery,
      doneRecordsKept: limits.doneRecordsKept,
    });
    await this.#sender.update(definitions);
  }

  async #openPartitions(epoch: number): Promise<void> {
    const { partitionCount } = this.#options;
    const log = await this.#connect(this.life);
    const waiting = Array.from({ length: partitionCount }, (_, partition) => partition);
    const openNext = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await this.#openPartition(log, next, epoch);
      }
    };
    await Promise.all(Array.from({ length: OPENING_MAX }, openNext));
  }

  async #openPartition(log: Log, partition: number, epoch: number): Promise<void> {
    const { diskOf, partitionCount, scheduler, onReport } = this.#options;
    let opened: PartitionRunner | undefined;
    const { coverage } = scheduler;
    const runner = await PartitionRunner.open({
      log,
      clock: this.clock,
      partition,
      epoch,
      checkpoints: new CheckpointStore('checkpoints', partition, diskOf(this.life)),
      createPipeline: campaignPipeline({
        counters: this.counters,
        onReport: (report) => onReport(this.life.name, partition, opened!.offset, report),
      }),
      reorderWindowMs: 5_000,
      onReadable: () => this.loop.readable(partition),
      onFailure: (_partition, error) => this.fail(error, `partition ${partition}`),
      onMoved: (tokens) =>
        this.#toMain(() => {
          for (const token of tokens) this.#intake?.moved(token);
        }),
      onWarning: (_partition, error) => {
        coverage.met('checkpoint found unfit');
        this.#options.tell(`partition ${partition}: ${error.message}`);
      },
    });
    opened = runner;
    const hasCheckpoint = runner.offset > 0;
    if (hasCheckpoint) coverage.met('partition opened from a checkpoint');
    this.loop.add(runner, partition / partitionCount);
    await runner.recovered;
    const replaysAll = !hasCheckpoint && runner.recordsReplayed > 1;
    if (replaysAll) coverage.met('partition opened without one, records in its log');
    coverage.met('output of a replay left out', runner.lanes.replayed);
    for (const alias of runner.core.state.aliases.entries()) this.#intake!.identities.learn(alias);
  }

  /** What the threads tell the main one comes as messages, in order. */
  #toMain(take: () => void): void {
    const { scheduler } = this.#options;
    this.#toldMs = Math.max(this.#toldMs, scheduler.nowMs + scheduler.delayMs(0.01, 1));
    scheduler.at(this.#toldMs, this.life, take);
  }

  #requestTick(partition: number, atMs: number): void {
    const { tell } = this.#options;
    this.#toMain(() => {
      tell(`tick of partition ${partition} for ${atMs}`);
      this.#intake?.requestTick(partition, atMs);
    });
  }

  /** Tells the sender first: a delivery of a campaign that it does not know is cancelled. */
  async redefine(
    definitions: Definitions,
    lives: ReadonlyMap<string, CampaignLife>,
  ): Promise<void> {
    await this.#sender!.update(laneDefinitions(definitions, lives));
    const acknowledgement = new Acknowledgement();
    const control: Control = {
      type: 'definitions',
      definitions: partitionDefinitions(definitions),
      publishedAtMs: this.clock.now(),
    };
    this.#intake!.control(control, acknowledgement, RecordKind.control);
    await acknowledgement.close();
  }

  /** Lanes are told first, as of definitions. */
  async act(
    { campaign, action }: PlannedAction,
    definitions: Definitions,
    lives: ReadonlyMap<string, CampaignLife>,
  ): Promise<void> {
    await this.#sender!.update(laneDefinitions(definitions, lives));
    const acknowledgement = new Acknowledgement();
    const control: Control = { type: 'life', campaign, action };
    this.#intake!.control(control, acknowledgement, RecordKind.control);
    await acknowledgement.close();
  }

  /** A request at the door; undefined when nobody listens. */
  async take(events: readonly unknown[], isBatch: boolean): Promise<DoorAnswer> {
    const intake = this.#intake;
    if (!this.isReady || this.isStopping || intake === undefined) return { status: 503 };
    if (intake.isCatchingUp) {
      this.#options.scheduler.coverage.met('door said 503 as another was behind');
      return { status: 503 };
    }
    if (!intake.hasRoom) return { status: 429 };
    const acknowledgement = new Acknowledgement();
    const receivedAtMs = this.clock.now();
    const body = Buffer.from(JSON.stringify(isBatch ? { batch: events } : events[0]));
    const requestId = `${this.life.name}-${this.#requestCount++}`;
    const at = isBatch ? { member: 'batch' } : ('body' as const);
    const request = { body, events, at, type: undefined, sentAt: undefined };
    try {
      const refused = this.#door!.take(request, receivedAtMs, { requestId, acknowledgement });
      await acknowledgement.close();
      return { status: 200, receivedAtMs, rejected: refused.map(({ index }) => index) };
    } catch (error) {
      this.#expect(error, 'door');
      return { status: 503, receivedAtMs };
    }
  }

  /** SIGTERM, in the order of `serve`. */
  async stop(): Promise<void> {
    this.isStopping = true;
    const intake = this.#intake!;
    await this.#natsDoor?.close();
    intake.fail('ERR_STOPPING', 'Lapse is stopping; send again later.', { retryable: true });
    await intake.idle();
    await this.#rejected!.idle();
    await this.loop.drain();
    await this.#sender!.drain();
    for (const log of this.#logs) await log.close();
    this.stoppedStep = this.#options.scheduler.steps;
  }

  /** kill -9. */
  kill(): void {
    this.isReady = false;
    this.senderLife.end();
    this.life.end();
  }

  /** It cannot go on; whoever watches it starts another one. */
  fail(error: unknown, where: string): void {
    if (this.life.isOver) return;
    const { coverage } = this.#options.scheduler;
    if ((error as { code?: unknown }).code === 'ERR_FENCED') coverage.met('owner fenced');
    if (!this.isReady) coverage.met('start failed');
    this.#expect(error, where);
    this.#options.tell(`fails at ${where}: ${messageOf(error)}`);
    this.kill();
  }

  #expect(error: unknown, where: string): void {
    const code = (error as { code?: unknown }).code;
    if (typeof code === 'string' && (EXPECTED_FAILURES.has(code) || code === 'ENOENT')) return;
    const isOurs = error instanceof LapseError;
    const text = isOurs ? `${error.message} [${error.code}]` : (error as Error).stack;
    this.#options.onBug(`${this.life.name} at ${where}: ${text ?? String(error)}`);
  }
}
