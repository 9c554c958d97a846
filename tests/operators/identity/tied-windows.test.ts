import { expect, test } from 'vitest';
import { partitionOf } from '../../../engine/state/hash.ts';
import { campaignOf, inactionOf } from '../../support/partition-harness.ts';
import { anon, did, identify, JoinedStage, known } from './joined-stage.ts';

const MINUTE_MS = 60_000;
const WITHIN_MS = 10 * MINUTE_MS;
const GRACE_MS = 5 * MINUTE_MS;
const HOUR_MS = 60 * MINUTE_MS;
const PARTITIONS = 3;

const ann = known('ann');
/** Of several partitions it lies in another one. */
const device = anon(
  ['d1', 'd2', 'd3', 'd4', 'd5'].find(
    (id) => partitionOf(id, PARTITIONS) !== partitionOf('ann', PARTITIONS),
  )!,
);
/** When each window of the user has its `did`. */
const ARRIVING = { atMs: 5 * MINUTE_MS, n: 3 };
const EARLIER = { atMs: 0, n: 1 };
/** Behind the end of the earlier one, which still waits for its grace. */
const LATER = { atMs: WITHIN_MS + MINUTE_MS, n: 2 };

/**
 * Events of what has fired, with its time, ms after the start.
 * @param isRecovered between the windows and the join: then the table finds the later one first
 */
async function firedOf(partitionCount: number, isRecovered: boolean) {
  const rule = inactionOf({ withinMs: WITHIN_MS, graceMs: GRACE_MS });
  const stage = await JoinedStage.open(partitionCount, [campaignOf('c', rule)]);
  await stage.run([
    did(ann, 'did', EARLIER.atMs, { n: EARLIER.n }),
    did(device, 'did', ARRIVING.atMs, { n: ARRIVING.n }),
    did(ann, 'did', LATER.atMs, { n: LATER.n }),
  ]);
  await stage.settle();
  expect(stage.openWindows).toBe([EARLIER, ARRIVING, LATER].length);
  if (isRecovered) {
    await stage.checkpoint();
    await stage.restart();
  }
  await stage.run([identify(ann, device, LATER.atMs + MINUTE_MS)]);
  await stage.passTo(HOUR_MS);
  const fired = stage.qualified().map((line) => {
    const [, , atMs, ...body] = line.split(' ');
    const { Event_properties: event } = JSON.parse(body.join(' ')) as {
      Event_properties: { n: number };
    };
    return { atMs: Number(atMs), n: event.n };
  });
  return fired.sort((a, b) => a.atMs - b.atMs);
}

// The arriving window ends later than the earlier one, and so stays instead of it; the later one,
// which would have stayed instead of the arriving one, is no matter of this join.
const wanted = [ARRIVING, LATER].map(({ atMs, n }) => ({ atMs: atMs + WITHIN_MS + GRACE_MS, n }));

test.each([
  [1, false],
  [1, true],
  [PARTITIONS, false],
  [PARTITIONS, true],
])(
  'of two tied windows a join meets the earlier one, %i partitions, recovered: %s',
  async (partitionCount, isRecovered) => {
    expect(await firedOf(partitionCount, isRecovered)).toEqual(wanted);
  },
);
