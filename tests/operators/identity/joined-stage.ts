import { type IncomingEvent, RecordKind } from '../../../engine/envelope/records.ts';
import { Acknowledgement } from '../../../engine/intake/acknowledgement.ts';
import { Intake } from '../../../engine/intake/intake.ts';
import type { Log } from '../../../engine/log/log.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { takeEpoch } from '../../../engine/log/ownership.ts';
import { PartitionRunner } from '../../../engine/partition/partition-runner.ts';
import type { UserId } from '../../../engine/state/alias-table.ts';
import { partitionOf } from '../../../engine/state/hash.ts';
import { campaignCounters } from '../../../operators/campaign-counters.ts';
import { campaignPipeline } from '../../../operators/campaign-pipeline.ts';
import type { Campaign } from '../../../operators/definitions.ts';
import { decodeDeliveries } from '../../../operators/delivery/codec.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';
import { anEvent } from '../../engine/intake/intake-records.ts';
import { MemoryCheckpoints } from '../../support/memory-checkpoints.ts';
import { definitionsOf } from '../../support/partition-harness.ts';

export const START_MS = Date.parse('2026-01-05T09:00:00Z');

/** What a door is told, at a time of receipt. */
export interface Step {
  /** Behind the start. */
  readonly atMs: number;
  readonly event: Partial<IncomingEvent>;
}

export const anon = (id: string): UserId => ({ id, isAnonymous: true });
export const known = (id: string): UserId => ({ id, isAnonymous: false });

export function did(
  { id, isAnonymous }: UserId,
  name: string,
  atMs: number,
  properties: Record<string, unknown> = {},
): Step {
  return { atMs, event: { userId: id, isAnonymous, name, properties } };
}

export function identify(
  to: UserId,
  from: UserId,
  atMs: number,
  traits: Record<string, unknown> = {},
): Step {
  const { id, isAnonymous } = to;
  const kind = RecordKind.identify;
  const event = { kind, name: '', userId: id, isAnonymous, joins: [from], properties: traits };
  return { atMs, event };
}

/** Nobody dead is ever answered, and nothing it says is heard. */
function logOf(log: MemoryLog, life: { readonly isDead: boolean }): Log {
  const answer = <T>(promise: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      promise.then(
        (value) => life.isDead || resolve(value),
        (error: unknown) => life.isDead || reject(error),
      );
    });
  const never = new Promise<never>(() => undefined);
  return {
    partitionCount: log.partitionCount,
    append: (...args) => (life.isDead ? never : answer(log.append(...args))),
    claim: (...args) => (life.isDead ? never : answer(log.claim(...args))),
    epochOf: (partition) => answer(log.epochOf(partition)),
    read: (...args) => log.read(...args),
    tail: (topic) => answer(log.tail(topic)),
    head: (topic) => answer(log.head(topic)),
    positionOf: (...args) => answer(log.positionOf(...args)),
    trim: (...args) => (life.isDead ? never : log.trim(...args)),
    close: () => log.close(),
  };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** An intake and its partitions on a log in memory; they may die together at any append. */
export class JoinedStage {
  readonly log: MemoryLog;
  readonly counters = campaignCounters();
  readonly runners: PartitionRunner[] = [];
  /** Appends after which everything dies; never, if not set. */
  dieAfter = Number.POSITIVE_INFINITY;
  appends = 0;
  deaths = 0;
  readonly #checkpoints: MemoryCheckpoints[];
  readonly #partitionCount: number;
  #clock = new ManualClock(START_MS);
  #intake!: Intake;
  /** What the parts of one life share; they are let go, and no more, when it ends. */
  #life = { isDead: false };

  private constructor(partitionCount: number) {
    this.#partitionCount = partitionCount;
    this.#checkpoints = Array.from({ length: partitionCount }, () => new MemoryCheckpoints());
    this.log = new MemoryLog({
      partitionCount,
      afterStore: () => {
        if (++this.appends === this.dieAfter) this.#life.isDead = true;
      },
    });
  }

  static async open(partitionCount: number, campaigns: readonly Campaign[]): Promise<JoinedStage> {
    const stage = new JoinedStage(partitionCount);
    await stage.#start();
    await stage.define(campaigns);
    stage.appends = 0;
    return stage;
  }

  /** Takes other campaigns in place of those that are there. */
  define(campaigns: readonly Campaign[]): Promise<void> {
    const control = { type: 'definitions', definitions: definitionsOf(campaigns) };
    return this.#say((acknowledgement) =>
      this.#intake.control(control, acknowledgement, RecordKind.control),
    );
  }

  /** Runs the steps one after the other, each until it is acknowledged. */
  async run(steps: readonly Step[]): Promise<void> {
    for (const [i, { atMs, event }] of steps.entries()) {
      const receivedAtMs = START_MS + atMs;
      await this.#say((acknowledgement) => {
        this.#clock.advanceTo(receivedAtMs);
        const eventAtMs = event.eventAtMs ?? receivedAtMs;
        const whole = anEvent({ messageId: `m${i}`, ...event, eventAtMs });
        this.#intake.add(whole, receivedAtMs, acknowledgement);
      });
    }
  }

  /** Lets time pass, and all that is due with it. */
  async passTo(atMs: number): Promise<void> {
    await this.settle();
    this.#clock.advanceTo(START_MS + atMs + 1);
    for (let deaths = -1; deaths !== this.deaths; ) {
      deaths = this.deaths;
      for (let p = 0; p < this.#partitionCount; p++) this.#intake.requestTick(p, START_MS + atMs);
      await this.settle();
    }
  }

  /** Who qualified for what and when, from the log. */
  qualified(): string[] {
    const reader = this.log.read('out.hook', 0, () => undefined);
    const found: string[] = [];
    for (let one = reader.poll(); one !== undefined; one = reader.poll()) {
      for (const { campaignId, userId, qualifiedAtMs, body } of decodeDeliveries(one.bytes)) {
        found.push(`${campaignId} ${userId} ${qualifiedAtMs - START_MS} ${body}`);
      }
    }
    reader.close();
    return found.sort();
  }

  /** Windows and profiles that stand under an id, wherever that is. */
  get openWindows(): number {
    return this.runners.reduce((sum, { openWindows }) => sum + openWindows, 0);
  }

  runnerOf(id: string): PartitionRunner {
    return this.runners[partitionOf(id, this.#partitionCount)]!;
  }

  /** Dies and starts anew, from the checkpoints if there are any. */
  async restart(): Promise<void> {
    for (const runner of this.runners.splice(0)) runner.stop();
    this.#life.isDead = true;
    this.deaths++;
    await this.#start();
  }

  async checkpoint(): Promise<void> {
    await this.settle();
    let left = this.runners.length;
    for (const runner of this.runners) void runner.checkpoint().then(() => left--);
    while (left > 0 && !this.#life.isDead) await this.#turn();
    if (this.#life.isDead) await this.restart();
  }

  async #start(): Promise<void> {
    const clock = new ManualClock(this.#clock.now());
    this.#clock = clock;
    const life = { isDead: false };
    this.#life = life;
    const log = logOf(this.log, life);
    const intake = new Intake({ log, clock });
    this.#intake = intake;
    const epoch = await takeEpoch(log, clock);
    for (let partition = 0; partition < this.#partitionCount; partition++) {
      const runner = await PartitionRunner.open({
        log,
        clock,
        partition,
        epoch,
        checkpoints: this.#checkpoints[partition]!,
        createPipeline: campaignPipeline({ counters: this.counters }),
        reorderWindowMs: 5_000,
        onReadable: () => undefined,
        onWarning: (_partition, error) => {
          throw error;
        },
        onFailure: (_partition, error) => {
          throw error;
        },
        onMoved: (arrivals) => {
          for (const arrival of arrivals) intake.moved(arrival);
        },
      });
      this.runners.push(runner);
    }
    let recovered = 0;
    for (const runner of this.runners) void runner.recovered.then(() => recovered++);
    while (recovered < this.runners.length) await this.#turn();
    for (const runner of this.runners) {
      for (const alias of runner.core.state.aliases.entries()) intake.identities.learn(alias);
    }
  }

  async #turn(): Promise<void> {
    for (const runner of this.runners) runner.turn(() => false);
    await turn();
  }

  async #say(what: (acknowledgement: Acknowledgement) => void): Promise<void> {
    for (;;) {
      const acknowledgement = new Acknowledgement();
      what(acknowledgement);
      let outcome: boolean | undefined;
      acknowledgement.close().then(
        () => (outcome = true),
        () => (outcome = false),
      );
      while (outcome === undefined && !this.#life.isDead) await this.#turn();
      if (!this.#life.isDead && outcome === true) return;
      if (this.#life.isDead) await this.restart();
    }
  }

  /** Until nothing happens any more. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 4; quiet++) {
      const before = this.appends;
      await this.#turn();
      if (this.#life.isDead) await this.restart();
      if (this.appends !== before) quiet = 0;
    }
  }
}
