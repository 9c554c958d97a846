import { describe, expect, test } from 'vitest';
import { EnvelopeWriter } from '../../../engine/envelope/envelope-writer.ts';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { externalError } from '../../../engine/errors/errors.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { takeEpoch } from '../../../engine/log/ownership.ts';
import { Partition } from '../../../engine/partition/partition.ts';
import { PartitionRunner } from '../../../engine/partition/partition-runner.ts';
import { campaignCounters } from '../../../operators/campaign-counters.ts';
import { campaignPipeline } from '../../../operators/campaign-pipeline.ts';
import { decodeDeliveries } from '../../../operators/delivery/codec.ts';
import type { Delivery } from '../../../operators/delivery/delivery.ts';
import { MemoryCheckpoints } from '../../support/memory-checkpoints.ts';
import { campaignOf, definitionsOf, inactionOf } from '../../support/partition-harness.ts';
import { Prng } from '../../support/prng.ts';
import { ManualClock } from '../intake/intake-clock.ts';
import { anEvent } from '../intake/intake-records.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const WITHIN_MS = 10_000;
const SEEDS = 250;
const STEPS = 60;
const RETRY_MS = 250;
const campaigns = [
  campaignOf('action', { kind: 'action', on: { event: 'did' } }),
  campaignOf('inaction', inactionOf({ withinMs: WITHIN_MS })),
];

async function turnsOfTheLoop(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

function newPipeline() {
  return campaignPipeline({ counters: campaignCounters() });
}

/** A partition's log with faults, its owners past and present, and what went in. */
class World {
  readonly prng: Prng;
  readonly clock = new ManualClock(START_MS);
  readonly inputs: Uint8Array[] = [];
  readonly checkpoints: MemoryCheckpoints;
  readonly log: MemoryLog;
  readonly failures: unknown[] = [];
  /** Owners that do not know yet that they are not: they read and write on. */
  zombies: PartitionRunner[] = [];
  isFaulty = true;
  /** Called once, in the midst of the next claim. */
  duringClaim: (() => Promise<void>) | undefined;
  /** Called once, when the next checkpoint has been looked up and is being read. */
  duringLoad: (() => Promise<void>) | undefined;
  #atMs = START_MS;
  #number = 0;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.checkpoints = new MemoryCheckpoints(() => this.#pauseAtDisk());
    this.log = new MemoryLog({
      partitionCount: 1,
      beforeStore: (topic) => this.#beforeStore(topic),
      afterStore: (topic) => this.#afterStore(topic),
    });
  }

  pause(): Promise<void> {
    return turnsOfTheLoop(this.isFaulty ? this.prng.below(6) : 0);
  }

  async #pauseAtDisk(): Promise<void> {
    const { duringLoad } = this;
    this.duringLoad = undefined;
    await duringLoad?.();
    await this.pause();
  }

  async #beforeStore(topic: string): Promise<void> {
    const { duringClaim } = this;
    if (topic === 'in.0' && duringClaim !== undefined) {
      this.duringClaim = undefined;
      await duringClaim();
    }
    await this.pause();
    this.#fault(topic, 'not stored');
  }

  async #afterStore(topic: string): Promise<void> {
    await this.pause();
    this.#fault(topic, 'stored, but nobody learns');
  }

  #fault(topic: string, what: string): void {
    if (!topic.startsWith('out.') || !this.isFaulty || !this.prng.chance(0.1)) return;
    throw externalError('ERR_LOG_UNAVAILABLE', what);
  }

  async append(fill: (writer: EnvelopeWriter) => void): Promise<void> {
    const writer = new EnvelopeWriter();
    fill(writer);
    const bytes = writer.finish();
    this.inputs.push(bytes);
    await this.log.append('in.0', bytes);
  }

  define(): Promise<void> {
    const control = { type: 'definitions', definitions: definitionsOf(campaigns) };
    return this.append((writer) => writer.addJson(RecordKind.control, control, START_MS));
  }

  events(): Promise<void> {
    const { prng } = this;
    return this.append((writer) => {
      for (let i = prng.below(8); i >= 0; i--) {
        this.#atMs += prng.below(400);
        const name = prng.pick(['did', 'did', 'without', 'other']);
        const messageId = `m${this.#number++}`;
        const userId = `u${prng.below(12)}`;
        const one = anEvent({ userId, name, messageId, eventAtMs: this.#atMs });
        writer.addEvent({ ...one, properties: { messageId } }, this.#atMs);
      }
    });
  }

  tick(afterMs = this.prng.below(WITHIN_MS)): Promise<void> {
    this.#atMs += afterMs;
    return this.append((writer) => writer.addTick(this.#atMs));
  }

  async open(): Promise<PartitionRunner> {
    return PartitionRunner.open({
      log: this.log,
      clock: this.clock,
      partition: 0,
      epoch: await takeEpoch(this.log, this.clock),
      checkpoints: this.checkpoints,
      createPipeline: newPipeline(),
      reorderWindowMs: 5_000,
      onReadable: () => undefined,
      onFailure: (_, error) => this.failures.push(error),
      onWarning: (_, error) => this.failures.push(error),
    });
  }

  /** Some runner does something; what it throws is kept, for only a fence may stop it. */
  act(runner: PartitionRunner): void {
    const { prng } = this;
    if (prng.chance(0.2)) {
      runner.checkpoint().catch((error: unknown) => this.failures.push(error));
    } else runner.turn(() => prng.chance(0.1));
  }

  passTime(): void {
    this.clock.advanceTo(this.clock.now() + RETRY_MS);
  }

  async replaced(runner: PartitionRunner): Promise<PartitionRunner> {
    if (this.prng.chance(0.5)) this.zombies.push(runner);
    else runner.stop();
    let next: PartitionRunner | undefined;
    const opening = this.open().then((opened) => {
      next = opened;
    });
    while (next === undefined) {
      for (const zombie of this.zombies) if (this.prng.chance(0.3)) this.act(zombie);
      await turnsOfTheLoop(1 + this.prng.below(4));
    }
    await opening;
    return next;
  }

  /** What one owner that nothing ever happened to would have sent. */
  wanted(): Delivery[] {
    const deliveries: Delivery[] = [];
    const partition = new Partition({
      partitionCount: 1,
      createPipeline: newPipeline(),
      onOutput: (_, output) => deliveries.push(output as Delivery),
    });
    this.inputs.forEach((bytes, i) => {
      partition.begin({ offset: i + 1, storedAtMs: 0, bytes });
      partition.run(() => false);
    });
    return deliveries;
  }

  stored(): Delivery[] {
    const reader = this.log.read('out.hook', 0, () => undefined);
    const deliveries: Delivery[] = [];
    for (let one = reader.poll(); one !== undefined; one = reader.poll()) {
      deliveries.push(...decodeDeliveries(one.bytes));
    }
    return deliveries;
  }

  async finish(runner: PartitionRunner): Promise<void> {
    this.isFaulty = false;
    await this.tick(2 * WITHIN_MS);
    for (let i = 0; i < 50; i++) {
      for (const one of [...this.zombies, runner]) one.turn(() => false);
      await turnsOfTheLoop(50);
      this.passTime();
    }
    await runner.lanes.drained();
  }
}

const MAY_STOP = ['ERR_FENCED', 'ERR_LANES_STOPPED'];

describe('partition runner', () => {
  test('each delivery stands once and in order, through crashes, zombies and lost answers', async () => {
    let deliveries = 0;
    let fenced = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World(seed);
      const { prng } = world;
      await world.define();
      let runner = await world.open();
      for (let step = 0; step < STEPS; step++) {
        const luck = prng.below(100);
        if (luck < 30) await world.events();
        else if (luck < 38) await world.tick();
        else if (luck < 44) runner = await world.replaced(runner);
        else if (luck < 50) world.passTime();
        else if (luck < 60 && world.zombies.length > 0) world.act(prng.pick(world.zombies));
        else world.act(runner);
        await turnsOfTheLoop(prng.below(12));
      }
      await world.finish(runner);
      const codes = world.failures.map((error) => (error as { code?: string }).code ?? error);
      const wrong = codes.filter((code) => !MAY_STOP.includes(code as string));
      expect(wrong, `seed ${seed}: nothing but a fence stops an owner`).toEqual([]);
      const wanted = world.wanted();
      const got = world.stored();
      expect(
        got.map(({ id }) => id),
        `seed ${seed}`,
      ).toEqual(wanted.map(({ id }) => id));
      expect(got, `seed ${seed}`).toEqual(wanted);
      for (const zombie of world.zombies) {
        expect(
          zombie.turn(() => false),
          `seed ${seed}: a zombie has stopped`,
        ).toBe('idle');
      }
      deliveries += got.length;
      fenced += codes.filter((code) => code === 'ERR_FENCED').length;
    }
    // Otherwise the above has shown nothing.
    expect(deliveries).toBeGreaterThan(10 * SEEDS);
    expect(fenced).toBeGreaterThan(SEEDS / 2);
  });

  test('an owner that was replaced does not trim what the new one still has to read', async () => {
    const world = await aWorldWith(4);
    const old = await world.open();
    old.turn(envelopes(2));
    const runner = await world.open();
    await old.checkpoint();
    old.turn(envelopes(1));
    await old.checkpoint();
    expect(await world.log.head('in.0')).toBe(1);
    await world.finish(runner);
    expect(world.stored()).toEqual(world.wanted());
  });

  test('takes over what the owner before kept, and trimmed, during the claim', async () => {
    const world = await aWorldWith(4);
    const old = await world.open();
    world.duringClaim = async () => {
      for (let i = 0; i < 2; i++) {
        old.turn(envelopes(2));
        await old.checkpoint();
      }
      expect(await world.log.head('in.0')).toBeGreaterThan(1);
    };
    const runner = await world.open();
    await world.finish(runner);
    expect(world.failures).toEqual([]);
    expect(world.stored()).toEqual(world.wanted());
  });

  test('takes over what the owner before kept, and trimmed, while its checkpoint is read', async () => {
    const world = await aWorldWith(4);
    const old = await world.open();
    world.duringLoad = async () => {
      for (let i = 0; i < 2; i++) {
        old.turn(envelopes(2));
        await old.checkpoint();
      }
      expect(await world.log.head('in.0')).toBeGreaterThan(1);
    };
    const runner = await world.open();
    await world.finish(runner);
    expect(world.failures).toEqual([]);
    expect(world.stored()).toEqual(world.wanted());
  });

  test('refuses to start without state when its log was trimmed', async () => {
    const world = await aTrimmedWorld();
    world.checkpoints.generations = [];
    await expect(world.open()).rejects.toMatchObject({ code: 'ERR_STATE_LOST', domain: 'user' });
    expect(await world.log.epochOf(0)).toBe(1);
  });

  test('refuses a checkpoint from beyond the end of the log', async () => {
    const world = await aTrimmedWorld();
    const other = new World(2);
    other.checkpoints.generations = world.checkpoints.generations;
    await expect(other.open()).rejects.toMatchObject({ code: 'ERR_LOG_BEHIND', domain: 'user' });
    expect(await other.log.epochOf(0)).toBe(0);
  });

  test('has recovered once it has read up to its own claim', async () => {
    const world = new World(3);
    world.isFaulty = false;
    await world.define();
    const runner = await world.open();
    let isRecovered = false;
    void runner.recovered.then(() => {
      isRecovered = true;
    });
    await turnsOfTheLoop(5);
    expect(isRecovered).toBe(false);
    runner.turn(() => false);
    await turnsOfTheLoop(5);
    expect(isRecovered).toBe(true);
  });
});

/** A budget of so many envelopes. */
function envelopes(count: number): () => boolean {
  let left = count;
  return () => left-- <= 0;
}

/** A world without faults, in which so many envelopes wait for their owner. */
async function aWorldWith(inputs: number): Promise<World> {
  const world = new World(4);
  world.isFaulty = false;
  await world.define();
  while (world.inputs.length < inputs) await world.events();
  return world;
}

/** Two checkpoints were made, and the log is trimmed behind the older one. */
async function aTrimmedWorld(): Promise<World> {
  const world = new World(1);
  world.isFaulty = false;
  await world.define();
  const runner = await world.open();
  for (let i = 0; i < 2; i++) {
    await world.events();
    runner.turn(() => false);
    await runner.checkpoint();
  }
  expect(await world.log.head('in.0')).toBeGreaterThan(1);
  runner.stop();
  return world;
}
