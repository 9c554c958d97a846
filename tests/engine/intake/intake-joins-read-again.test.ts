/** Joins and a door that reads again, with their old times, what the log did not take. */
import { describe, expect, test } from 'vitest';
import { type IncomingEvent, RecordKind } from '../../../engine/envelope/records.ts';
import { Acknowledgement } from '../../../engine/intake/intake.ts';
import {
  ANN,
  arrivalsIn,
  DEVICE,
  identify,
  idIn,
  inputOf,
  NOW_MS,
  stage,
  timesIn,
  turns,
} from './intake-joins-stage.ts';
import { anEvent, recordsOf } from './intake-records.ts';

const EVENT_MS = NOW_MS + 1;
const JOIN_MS = NOW_MS + 2;
const BESIDE_MS = NOW_MS + 30;
const LATER_MS = NOW_MS + 1_000;
const LEAVE = `leave ${DEVICE} ${ANN}`;

const before = anEvent({ userId: ANN, name: 'before' });
const seen = anEvent({ userId: DEVICE, isAnonymous: true, name: 'seen' });
const joining = identify(ANN, DEVICE);

/** A door that reads, and a log whose appends to a partition wait from when they are stopped. */
function readingStage() {
  const stopped = new Set<string>();
  const waiting = new Map<string, { take: () => void; refuse: () => void }>();
  const place = stage((topic) => {
    if (!stopped.has(topic)) return undefined;
    return new Promise<void>((resolve, reject) => {
      const refuse = () => reject(new Error('nobody answers'));
      waiting.set(topic, { take: resolve, refuse });
    });
  });
  const { clock, intake, durable } = place;
  clock.advanceTo(LATER_MS);
  const door = intake.horizon.join(() => undefined);
  const caughtUp = () => {
    door.isBehind = false;
    door.passed(LATER_MS);
  };
  caughtUp();
  /** All is read again from the beginning. */
  const onFailure = () => door.fallBack(NOW_MS);
  const read = (event: IncomingEvent, label: string, receivedAtMs: number) => {
    const acknowledgement = new Acknowledgement({ onFailure });
    intake.add(event, receivedAtMs, acknowledgement);
    acknowledgement.close().then(
      () => durable.push(label),
      () => durable.push(`${label} failed`),
    );
  };
  const stop = (partition: number) => stopped.add(`in.${partition}`);
  const goOn = async (partition: number, how: 'take' | 'refuse') => {
    stopped.delete(`in.${partition}`);
    waiting.get(`in.${partition}`)![how]();
    await turns(5);
  };
  /** Leaves that were not stored are said again. */
  const pause = async () => {
    clock.advanceTo(clock.now() + 1_000);
    await turns(5);
  };
  return { ...place, door, read, stop, goOn, pause, caughtUp };
}

describe('a join at the intake, and what its door reads again', () => {
  test.each([
    { whose: 'the survivor', event: before, partition: 0 },
    { whose: 'the old id', event: seen, partition: 1 },
  ])('it does not overtake an event of $whose', async ({ event, partition }) => {
    const { log, intake, durable, read, stop, goOn, pause } = readingStage();
    stop(partition);
    read(event, event.name, EVENT_MS);
    read(joining, 'joined', JOIN_MS);
    await turns(5);
    await goOn(partition, 'refuse');
    await pause();
    expect([inputOf(log, 0), inputOf(log, 1)]).toEqual([[], []]);
    expect(durable).toEqual([`${event.name} failed`, 'joined failed']);
    expect([intake.identities.count, intake.bytesInFlight]).toEqual([0, 0]);
    read(event, event.name, EVENT_MS);
    read(joining, 'joined', JOIN_MS);
    await turns(5);
    const inputs = [[], []] as string[][];
    inputs[1]!.push(LEAVE);
    inputs[partition]!.unshift(event.name);
    expect([inputOf(log, 0), inputOf(log, 1)]).toEqual(inputs);
  });

  test('nothing leaves before all that came earlier for the old id is stored', async () => {
    // In one envelope with it, the leave would fail with it and be said again before it.
    const { log, read, stop, goOn } = readingStage();
    stop(1);
    read(seen, 'seen', EVENT_MS);
    read(joining, 'joined', JOIN_MS);
    await turns(5);
    expect(inputOf(log, 1)).toEqual([]);
    await goOn(1, 'take');
    expect(inputOf(log, 1)).toEqual(['seen', LEAVE]);
    expect(recordsOf(log, 1).map(({ length }) => length)).toEqual([1, 1]);
  });

  test('one that another door brought fails with it, and its ids are their own again', async () => {
    const { log, intake, add, durable, read, stop, goOn } = readingStage();
    stop(1);
    read(seen, 'seen', EVENT_MS);
    add(joining, 'joined', JOIN_MS);
    add(anEvent({ userId: ANN, name: 'after' }), 'after', JOIN_MS);
    await turns(5);
    await goOn(1, 'refuse');
    expect(durable).toEqual(['seen failed', 'joined failed', 'after failed']);
    expect([intake.identities.count, intake.bytesInFlight]).toEqual([0, 0]);
    add(anEvent({ userId: DEVICE, isAnonymous: true, name: 'own' }), 'own', LATER_MS);
    await turns(5);
    expect([inputOf(log, 0), inputOf(log, 1)]).toEqual([[], ['own']]);
  });

  test('a chain of them is untied from its end', async () => {
    const { intake, read, stop, goOn } = readingStage();
    const middle = idIn(2, 'middle');
    const joins = [{ id: middle, isAnonymous: false }];
    stop(2);
    read(anEvent({ userId: middle, name: 'before' }), 'before', EVENT_MS);
    read(identify(middle, DEVICE), 'first', JOIN_MS);
    read(anEvent({ kind: RecordKind.alias, name: '', userId: ANN, joins }), 'second', JOIN_MS);
    // Tells the device's partition the end of the chain.
    read(anEvent({ userId: DEVICE, isAnonymous: true, name: 'retried' }), 'retried', JOIN_MS);
    await turns(5);
    expect(intake.identities.count).toBe(2);
    await goOn(2, 'refuse');
    expect([intake.identities.count, intake.bytesInFlight]).toEqual([0, 0]);
  });

  test('it waits for an event that is read again by its old partition', async () => {
    const { log, intake, durable, read, stop, goOn, pause } = readingStage();
    const old = idIn(2, 'old');
    const retried = anEvent({
      userId: old,
      isAnonymous: true,
      name: 'retried',
      eventAtMs: NOW_MS - 1,
    });
    read(identify(ANN, old), 'old', NOW_MS);
    await turns(5);
    intake.moved(arrivalsIn(log, 2)[0]!);
    await turns(5);
    stop(2);
    read(retried, 'retried', EVENT_MS);
    read(joining, 'joined', JOIN_MS);
    await turns(5);
    await goOn(2, 'refuse');
    expect(durable).toEqual(['old', 'retried failed', 'joined failed']);
    await pause();
    // What had been said to the partition is said again, and moves nothing.
    intake.moved(arrivalsIn(log, 2)[1]!);
    await turns(5);
    expect(inputOf(log, 1)).toEqual([]);
    read(retried, 'retried', EVENT_MS);
    read(joining, 'joined', JOIN_MS);
    await turns(5);
    const leave = `leave ${old} ${ANN}`;
    expect(inputOf(log, 2)).toEqual([leave, leave, 'retried', leave]);
    expect(inputOf(log, 1)).toEqual([]);
    intake.moved(arrivalsIn(log, 2)[2]!);
    await turns(5);
    expect(inputOf(log, 1)).toEqual([LEAVE]);
  });

  test.each([
    { name: 'before it was written', isWritten: false },
    { name: 'when it was written', isWritten: true },
  ])('time does not pass it where it comes again, when it failed $name', async ({ isWritten }) => {
    const { log, intake, add, read, stop, goOn, pause, caughtUp } = readingStage();
    const other = anEvent({ userId: idIn(0, 'other'), name: 'beside' });
    stop(1);
    if (!isWritten) read(seen, 'seen', EVENT_MS);
    read(joining, 'joined', JOIN_MS);
    await turns(5);
    await goOn(1, 'refuse');
    await pause();
    if (isWritten) intake.moved(arrivalsIn(log, 1)[0]!);
    await turns(5);
    const already = timesIn(log, 0).length;
    add(other, 'beside', BESIDE_MS);
    intake.requestTick(0, BESIDE_MS);
    await turns(5);
    expect(timesIn(log, 0).slice(already)).toEqual([['beside', 30, 'ahead']]);
    read(seen, 'seen', EVENT_MS);
    read(joining, 'joined', JOIN_MS);
    await turns(5);
    caughtUp();
    await turns(5);
    intake.moved(arrivalsIn(log, 1).at(-1)!);
    await turns(5);
    expect(timesIn(log, 0).at(-1)).toEqual([RecordKind.tick, 30]);
  });

  test('a leave that stands behind what failed is said again, as somebody waits for it', async () => {
    const { log, add, read, stop, goOn, pause } = readingStage();
    const neighbour = anEvent({ userId: idIn(1, 'neighbour'), name: 'beside' });
    stop(0);
    add(before, 'before', EVENT_MS);
    add(joining, 'joined', JOIN_MS);
    await turns(5);
    // Added when all of its own partition is stored, and while that of the survivor is not.
    stop(1);
    read(neighbour, 'beside', JOIN_MS);
    await turns(5);
    await goOn(0, 'take');
    await goOn(1, 'refuse');
    expect(inputOf(log, 1)).toEqual([]);
    await pause();
    expect(inputOf(log, 1)).toEqual([LEAVE]);
  });

  test('a leave that is said again carries no time past what is read again', async () => {
    const { log, add, read, stop, goOn, pause } = readingStage();
    stop(1);
    add(joining, 'joined', JOIN_MS);
    const neighbour = anEvent({ userId: idIn(1, 'neighbour'), name: 'beside' });
    // Of the door that is a little behind.
    read(neighbour, 'beside', EVENT_MS);
    await turns(5);
    await goOn(1, 'refuse');
    await pause();
    read(neighbour, 'beside', EVENT_MS);
    await turns(5);
    expect(timesIn(log, 1)).toEqual([
      [RecordKind.leave, JOIN_MS - NOW_MS, 'ahead'],
      ['beside', EVENT_MS - NOW_MS],
    ]);
  });
});
