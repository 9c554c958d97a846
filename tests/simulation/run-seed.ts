import type { PartitionRunner } from '../../engine/partition/partition-runner.ts';
import { keyOf } from '../../engine/state/key.ts';
import { EVERY_CAMPAIGN, partOf } from '../../operators/router/campaign-entry.ts';
import type { Archive } from './archive.ts';
import { checkQueues } from './check-queues.ts';
import { isZombies } from './check-sending.ts';
import { checkAll } from './checkers.ts';
import { coverLoad } from './cover-load.ts';
import type { Coverage } from './coverage.ts';
import { deliveriesIn, settledIn } from './stored.ts';
import { START_MS } from './wire.ts';
import { World } from './world.ts';

export interface SeedResult {
  readonly seed: number;
  readonly home: string;
  readonly problems: readonly string[];
  /** Of all that happened: equal for equal seeds. */
  readonly traceHash: string;
  readonly trace: readonly string[];
  readonly figures: SeedFigures;
  readonly met: Coverage['counts'];
}

export interface SeedFigures {
  readonly steps: number;
  readonly processes: number;
  readonly events: number;
  readonly qualifications: number;
  readonly requests: number;
}

/** Longest time that anything of a workload may still take when the faults are over. */
const DRAIN_MS_MAX = 1_200_000;
/** Longer than anything that a run waits for. */
const SOON_MS = 30 * 60_000;
const LOOK_MS = 250;
const STOP_MS_MAX = 30_000;
/** After everything has come to rest nothing may happen any more. */
const QUIET_MS = 5_000;
const PROBLEMS_SHOWN_MAX = 8;

/** Runs one seed: the load among faults, then without, to rest; then looks at what was done. */
export async function runSeed(seed: number, keepsTrace = false): Promise<SeedResult> {
  const world = new World(seed, keepsTrace);
  const onUnhandled = (error: unknown) =>
    world.problem(`nobody handles ${(error as Error).stack ?? String(error)}`);
  process.on('unhandledRejection', onUnhandled);
  try {
    await live(world);
    if (world.problems.length === 0) {
      checkAll(world);
      coverLoad(world);
    }
  } catch (error) {
    world.problem(`the run broke: ${(error as Error).stack ?? String(error)}`);
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
  return {
    seed,
    home: world.home.name,
    problems: world.problems.slice(0, PROBLEMS_SHOWN_MAX),
    traceHash: world.trace.hash,
    trace: world.trace.lines,
    met: world.scheduler.coverage.counts,
    figures: {
      steps: world.scheduler.steps,
      processes: world.processes.length,
      events: world.producer.acknowledged.size,
      qualifications: world.archive.topics
        .filter((topic) => topic.startsWith('out.'))
        .reduce((sum, topic) => sum + world.archive.of(topic).length, 0),
      requests: world.receivers.received.length,
    },
  };
}

async function live(world: World): Promise<void> {
  const { scheduler, workload } = world;
  const isBroken = () => world.problems.length > 0;
  scheduler.onStep = () => checkQueues(world);
  world.begin();
  await scheduler.run(START_MS + workload.endMs + 6_000, isBroken);
  world.endFaults();
  const giveUpAtMs = scheduler.nowMs + DRAIN_MS_MAX;
  while (!isBroken() && !isAtRest(world)) {
    if (scheduler.nowMs > giveUpAtMs) {
      world.problem(`does not come to rest: ${describeUnrest(world)}`);
      return;
    }
    await scheduler.run(scheduler.nowMs + LOOK_MS, isBroken);
  }
  await stopAndStartAgain(world, isBroken);
}

/** A clean stop and another start must change nothing. */
async function stopAndStartAgain(world: World, isBroken: () => boolean): Promise<void> {
  if (isBroken()) return;
  const { scheduler, receivers } = world;
  checkLeftovers(world);
  const before = receivers.received.length;
  const stopped = world.process!;
  // One that was replaced and lives on takes what another is writing for what a crash has left.
  const isAlone = world.processes.every((one) => one === stopped || one.life.isOver);
  let isStopped = false;
  stopped.stop().then(
    () => {
      isStopped = true;
      stopped.kill();
    },
    (error: unknown) => world.problem(`could not stop: ${String(error)}`),
  );
  const untilMs = scheduler.nowMs + STOP_MS_MAX + setBackMs(world);
  await scheduler.run(untilMs, () => isStopped || isBroken());
  if (!isStopped) {
    world.problem('a clean stop did not end');
    return;
  }
  await scheduler.run(scheduler.nowMs + QUIET_MS, isBroken);
  if (!isBroken() && !isAtRest(world)) {
    world.problem(`is not at rest after a clean stop: ${describeUnrest(world)}`);
  }
  // One that was replaced may live on until here, and does not know that all is settled.
  const sent = receivers.received.slice(before).filter((one) => !isZombies(world, one)).length;
  if (sent > 0) world.problem(`${sent} requests went out after everything was settled`);
  const replayed = world.process?.runners.map(({ recordsReplayed }) => recordsReplayed) ?? [];
  // The claim itself is one.
  if (isAlone && replayed.some((count) => count > 1)) {
    world.problem(`records were replayed after a clean stop: ${replayed.join(', ')}`);
  }
}

/** A timer that ran when the clock was set back waits until the clock shows its time again. */
function setBackMs({ faults }: World): number {
  const jumps = faults.blows.map((blow) => (blow.kind === 'clock' ? blow.byMs : 0));
  return jumps.reduce((sum, byMs) => sum - Math.min(0, byMs), 0);
}

/** Of an id that has become another's nothing is left in its partition. */
function checkLeftovers(world: World): void {
  for (const { core, partition } of world.process!.runners) {
    for (const { from } of core.state.aliases.entries()) {
      const known = core.state.profiles.attributesOf(keyOf(from.id, from.isAnonymous));
      if (Object.keys(known).length === 0) continue;
      world.problem(`partition ${partition} still knows ${from.id}: ${JSON.stringify(known)}`);
    }
  }
}

function isAtRest(world: World): boolean {
  return describeUnrest(world) === '';
}

/** What there is still to do; empty when there is nothing. */
function describeUnrest(world: World): string {
  const { process, producer, workload, archive, events } = world;
  const { sequence = 0, created } = process?.natsPosition ?? {};
  if (producer.waiting > 0) return `${producer.waiting} requests are not acknowledged`;
  if (process === undefined || !process.isReady) return 'no process is ready';
  // An empty stream has nothing to read, and a door notes no position in it.
  if (events !== undefined && events.lastSequence > 0 && created !== events.created) {
    return 'the NATS door reads an old stream';
  }
  if (sequence < (events?.lastSequence ?? 0)) return 'the NATS door has not read all';
  if ((process.intake?.bytesInFlight ?? 0) > 0) return 'the intake has not ended';
  if (process.runners.length < workload.partitionCount) return 'partitions are not open';
  if (world.actionsDone < workload.actions.length) return 'an operator waits';
  for (const runner of process.runners) {
    const { partition, lanes, openWindows, offset } = runner;
    if (openWindows > 0) return `partition ${partition} has ${openWindows} open windows`;
    if (lanes.waiting > 0) return `partition ${partition} has ${lanes.waiting} outputs waiting`;
    const soon = dueSoon(runner);
    if (soon > 0) return `partition ${partition} has ${soon} timers of rules and gates`;
    const tail = archive.of(`in.${partition}`).at(-1)?.offset ?? 0;
    if (offset < tail) return `partition ${partition} stands at ${offset} of ${tail}`;
  }
  for (const [webhook, count] of process.pendingCounts()) {
    if (count > 0) return `${count} deliveries of ${webhook} are pending`;
    const left = unsettledOf(archive, webhook);
    if (left > 0) return `${left} deliveries of ${webhook} are not settled`;
  }
  return '';
}

/** What waits for a year, or only to be forgotten, is at rest. */
function dueSoon({ core, timeMs }: PartitionRunner): number {
  const { cells } = core.state;
  const slots = [...cells.slotsWhere((one) => one < EVERY_CAMPAIGN || isWaiting(one))];
  return slots.filter((slot) => {
    const dueAtMs = cells.dueAtMs(slot);
    return (
      dueAtMs < timeMs + SOON_MS || (dueAtMs === Infinity && isWaiting(cells.operatorOf(slot)))
    );
  }).length;
}

function isWaiting(operator: number): boolean {
  return partOf(operator)?.part === 'waiting';
}

function unsettledOf(archive: Archive, webhook: string): number {
  const settled = new Set(settledIn(archive, webhook).map(({ id }) => id));
  return deliveriesIn(archive, webhook).filter(({ delivery }) => !settled.has(delivery.id)).length;
}
