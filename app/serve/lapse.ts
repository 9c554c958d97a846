import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { RuntimeSettings } from '../../config/definitions/runtime.ts';
import { LAPSE_VERSION } from '../../config/definitions/version.ts';
import { DoorCounters } from '../../connectors/doors/door-counters.ts';
import { NatsDoor, type NatsDoorOptions } from '../../connectors/doors/nats/nats-door.ts';
import { RejectedStore } from '../../connectors/doors/rejected.ts';
import { CLIENTS_MAX } from '../../connectors/doors/websocket/websocket-door.ts';
import type { EventLimits } from '../../connectors/events/event-limits.ts';
import { connectNats } from '../../connectors/nats/connection.ts';
import { requireOrigin } from '../../engine/checkpoint/checkpoint-origin.ts';
import { RecordKind } from '../../engine/envelope/records.ts';
import { externalError, type LapseError } from '../../engine/errors/errors.ts';
import { type ConditionListener, Conditions } from '../../engine/health/conditions.ts';
import { Acknowledgement, Intake } from '../../engine/intake/intake.ts';
import type { Log } from '../../engine/log/log.ts';
import { logIdentity } from '../../engine/log/log-creation.ts';
import { takeEpoch } from '../../engine/log/ownership.ts';
import type { Alias } from '../../engine/state/alias-table.ts';
import { after, systemClock } from '../../engine/time/clock.ts';
import type { Control } from '../../operators/campaign-pipeline.ts';
import type { Definitions } from '../../operators/definitions.ts';
import { clockStepError } from './clock-step.ts';
import type { ControlPlane } from './control/control-plane.ts';
import { startControl } from './control/start-control.ts';
import { CHECKPOINT_FOLDER, openDataFolder } from './data-folder.ts';
import { ConnectionLimit } from './http/connection-limit.ts';
import { type RunningHttp, startHttp } from './http/start-http.ts';
import { connectLog, type LogHome, natsOptions, openLogHome } from './log-home.ts';
import {
  type Overview,
  overviewOf,
  type TriggerLatency,
  triggerLatencyOf,
} from './metrics/overview.ts';
import { serveMetrics } from './metrics/serve-metrics.ts';
import { storageSizes } from './metrics/storage-metrics.ts';
import { ownEndpoints } from './own-endpoints.ts';
import { Readiness } from './readiness.ts';
import { PartitionThreads, SenderThread } from './threads.ts';

export interface LapseOptions {
  readonly definitions: Definitions;
  readonly settings: RuntimeSettings;
  /** Something to be told that stops nothing. */
  readonly onWarning: (where: string, error: LapseError) => void;
  /** Told once when something goes wrong that may pass, and once when it has passed. */
  readonly onCondition: ConditionListener;
  /** It cannot go on: `stop()` is called next, and the process ends with exit code 1. */
  readonly onFailure: (error: LapseError) => void;
}

const MAIN_NAME = 'lapse-main';
const NATS_DOOR_NAME = 'lapse-door';
/** Appends of a JetStream log cost 40 µs of processor each: fewer at a time, larger envelopes. */
const JETSTREAM_APPENDS_MAX = 8;
/**
 * Records that may stand unread behind the partitions, seconds of their work: more would only make
 * everything later, so the doors push back.
 */
const UNREAD_RECORDS_MAX = 500_000;
/**
 * What comes in now waits for what is unread, and so do the other webhooks' messages: when the
 * processor is busy with something else, half a million records may be a minute of it.
 */
const UNREAD_MS_MAX = 1_000;

/**
 * The whole engine in this process: doors, log, threads with partitions, sender. The order of
 * starting is the data's way backwards, so that nothing comes in before somebody can take it.
 */
export class Lapse {
  readonly url: string;
  /** Where operators are answered besides; undefined when that was not asked for. */
  readonly opsUrl: string | undefined;
  readonly home: LogHome;
  readonly #parts: Parts;
  #stopping: Promise<void> | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.home = parts.home;
    this.url = parts.http.url;
    this.opsUrl = parts.http.opsUrl;
  }

  /** @throws LapseError whatever keeps it from starting; nothing is left running then */
  static async start(options: LapseOptions): Promise<Lapse> {
    const warning = openDataFolder(options.settings.data);
    if (warning !== undefined) options.onWarning('data folder', warning);
    systemClock.onStep((step) => options.onWarning('clock', clockStepError(step)));
    const home = await openLogHome(options.settings, options.onFailure);
    const started: Started = { closers: [() => home.close()] };
    try {
      return await startParts(options, home, started, (parts) => new Lapse(parts));
    } catch (error) {
      for (const close of started.closers.reverse()) await close().catch(() => undefined);
      throw error;
    }
  }

  overview(): Overview {
    return overviewOf(this.#parts);
  }

  /** Since the start, by campaign; a campaign that has sent nothing is left out. */
  triggerLatency(): readonly TriggerLatency[] {
    return triggerLatencyOf(this.#parts);
  }

  get intake(): Intake {
    return this.#parts.intake;
  }

  /**
   * Stops intake, finishes attempts in flight, checkpoints.
   * @throws LapseError `ERR_DRAIN_TIMEOUT` when the log or a receiver keeps it from ending
   */
  stop(): Promise<void> {
    this.#stopping ??= withinTime(this.#stop(), drainMsMaxOf(this.#parts.control.definitions));
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#parts.readiness.stopping();
    const { http, natsDoor, control, intake, partitions, sender, log, rejected, home } =
      this.#parts;
    await http.close();
    await natsDoor?.close();
    await control.idle();
    intake.fail('ERR_STOPPING', 'Lapse is stopping; send again later.', { retryable: true });
    await intake.idle();
    await rejected.idle();
    // What became of the last attempts goes back to the partitions, which then write all of it down.
    await sender.drain();
    await partitions.drain();
    await log.close();
    await home.close();
    await http.closeOps();
  }
}

/** For everything but attempts in flight, which end with their own time-outs. */
const DRAIN_MS_MAX = 20_000;

function drainMsMaxOf({ webhooks }: Definitions): number {
  return DRAIN_MS_MAX + Math.max(0, ...webhooks.map(({ timeoutMs }) => timeoutMs));
}

function withinTime(draining: Promise<void>, drainMsMax: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = after(systemClock, drainMsMax, () => {
      const sentence = `Draining must end within ${drainMsMax} ms, it has not. Nothing acknowledged is lost: the next start goes on from the log.`;
      reject(externalError('ERR_DRAIN_TIMEOUT', sentence));
    });
    draining.then(resolve, reject).finally(cancel);
  });
}

interface Parts {
  readonly control: ControlPlane;
  readonly conditions: Conditions;
  readonly readiness: Readiness;
  readonly home: LogHome;
  readonly log: Log;
  readonly intake: Intake;
  readonly rejected: RejectedStore;
  readonly counters: DoorCounters;
  readonly partitions: PartitionThreads;
  readonly sender: SenderThread;
  readonly http: RunningHttp;
  readonly natsDoor: { start(): void; close(): Promise<void> } | undefined;
}

interface Started {
  /** What to close if a later step fails, in order of starting. */
  readonly closers: (() => Promise<unknown>)[];
}

async function startParts(
  options: LapseOptions,
  home: LogHome,
  { closers }: Started,
  create: (parts: Parts) => Lapse,
): Promise<Lapse> {
  const { definitions, settings } = options;
  const conditions = new Conditions(systemClock, options.onCondition);
  const log = await connectLog(home.address().address, conditions.from(MAIN_NAME));
  closers.push(() => log.close());
  const { createdAtMs, fingerprintKey } = await logIdentity(log, {
    createdAtMs: systemClock.now(),
    fingerprintKey: randomBytes(8).toString('hex'),
  });
  await requireOrigin(join(settings.data, CHECKPOINT_FOLDER), { kind: home.kind, createdAtMs });
  const owner = { home, epoch: await takeEpoch(log, systemClock), fingerprintKey };
  const control = await startControl({
    ...{ log, clock: systemClock, epoch: owner.epoch, dataFolder: settings.data },
    given: definitions,
    onWarning: options.onWarning,
  });
  const intake = new Intake({
    log,
    clock: systemClock,
    unreadRecordsMax: UNREAD_RECORDS_MAX,
    unreadMsMax: UNREAD_MS_MAX,
    ...(home.kind === 'jetstream' ? { appendsMax: JETSTREAM_APPENDS_MAX } : {}),
  });
  const counters = new DoorCounters();
  const rejected = new RejectedStore({ log, clock: systemClock });
  await rejected.open();
  let isStarting = true;
  const listener = {
    conditions,
    onTicks: (ticks: readonly { partition: number; atMs: number }[]) => {
      for (const { partition, atMs } of ticks) intake.requestTick(partition, atMs);
    },
    onAliases: (aliases: readonly Alias[]) => {
      for (const alias of aliases) intake.identities.learn(alias);
    },
    onMoved: (arrivals: readonly string[]) => {
      for (const arrival of arrivals) intake.moved(arrival);
    },
    onWarning: options.onWarning,
    onFailure: options.onFailure,
  };
  const userAgent = `Lapse/${LAPSE_VERSION}`;
  const limits = eventLimits(settings);
  // Joins the horizon before anybody can ask for a tick: what waits in NATS is older.
  const natsDoor = await openNatsDoor(
    options,
    { intake, log, rejected, counters, limits, conditions: conditions.from(NATS_DOOR_NAME) },
    closers,
  );
  const egress = { ...settings.egress, own: ownEndpoints(settings) };
  const sender = new SenderThread(
    owner,
    {
      sending: { definitions: control.definitions, lives: control.sendingLives },
      userAgent,
      egress,
    },
    {
      ...listener,
      // Told again at the next start: a log that is away is no reason to wait.
      onCompleted: (campaign) => void control.complete(campaign).catch(() => undefined),
    },
  );
  closers.push(() => sender.terminate());
  const onPartitionFailure = (error: LapseError) => {
    intake.fail('ERR_STOPPING', 'Lapse is stopping; send again later.', { retryable: true });
    intake.abandon();
    options.onFailure(error);
  };
  const partitions = new PartitionThreads(
    owner,
    settings,
    { ...listener, onFailure: onPartitionFailure },
    (records) => intake.processed(records),
  );
  closers.push(() => partitions.terminate());
  const readiness = new Readiness({ clock: systemClock, conditions, intake, partitions, sender });
  const parts = {
    control,
    conditions,
    readiness,
    home,
    log,
    intake,
    rejected,
    counters,
    partitions,
    sender,
  };
  const onFull = (error: LapseError) => options.onWarning('http server', error);
  const connections = new ConnectionLimit({ onFull, othersMax: CLIENTS_MAX });
  // Bound before the recovery, so that a port in use is said at once.
  const http = await startHttp({
    settings: settings.server,
    door: {
      ...{ intake, clock: systemClock, rejected, counters, limits },
      ask: (queries) => partitions.ask(queries),
    },
    connections,
    metrics: serveMetrics({
      ...parts,
      connections,
      storage: storageSizes(log, settings.data),
      natsConnections:
        home.kind === 'jetstream'
          ? [MAIN_NAME, NATS_DOOR_NAME, ...partitions.names, sender.name]
          : [],
    }),
    notReady: () => readiness.reasons(),
    isStarting: () => isStarting,
    control: () => (isStarting ? undefined : control),
    egressAllow: settings.egress.allow,
    now: () => systemClock.now(),
    onFull,
    graph: () => partitions.graph(),
    report: (campaign) => partitions.report(campaign),
  });
  closers.push(
    () => http.closeOps(),
    () => http.close(),
  );
  await sender.ready();
  await partitions.ready();
  await control.connect({
    lanes: (definitions, lives) => sender.define({ definitions, lives }),
    partitions: (change) => appendControl(intake, change),
  });
  natsDoor?.start();
  isStarting = false;
  readiness.started();
  return create({ ...parts, http, natsDoor });
}

async function openNatsDoor(
  options: LapseOptions,
  parts: Pick<
    NatsDoorOptions,
    'intake' | 'log' | 'rejected' | 'counters' | 'limits' | 'conditions'
  >,
  closers: Started['closers'],
): Promise<Parts['natsDoor']> {
  const { nats } = options.settings;
  if (nats === undefined) return undefined;
  const connection = await connectNats({ ...natsOptions(nats), name: 'lapse-door' });
  closers.push(() => connection.close());
  const door = await NatsDoor.open({
    ...parts,
    connection,
    clock: systemClock,
    isHeld: true,
    events: nats.events,
    stream: nats.stream,
    replicas: nats.replicas,
    onNotice: (error) => options.onWarning('nats door', error),
  });
  closers.push(() => door.close());
  return {
    start: () => door.start(),
    async close() {
      await door.close();
      await connection.close();
    },
  };
}

function appendControl(intake: Intake, control: Control): Promise<void> {
  const acknowledgement = new Acknowledgement();
  intake.control(control, acknowledgement, RecordKind.control);
  return acknowledgement.close();
}

function eventLimits({ limits }: RuntimeSettings): EventLimits {
  return {
    eventBytesMax: limits.eventBytesMax,
    propertiesMax: limits.propertiesMax,
    nameCharsMax: limits.nameCharsMax,
    nestingMax: limits.depthMax,
    requestBytesMax: limits.requestBytesMax,
    requestEventsMax: limits.requestEventsMax,
    uploadRecordsMax: limits.uploadRecordsMax,
  };
}
