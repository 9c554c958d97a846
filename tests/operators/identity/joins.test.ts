import { describe, expect, test } from 'vitest';
import { partitionOf } from '../../../engine/state/hash.ts';
import { keyOf } from '../../../engine/state/key.ts';
import type { InactionRule } from '../../../operators/definitions.ts';
import { campaignOf, inactionOf } from '../../support/partition-harness.ts';
import { anon, did, identify, JoinedStage, known, START_MS, type Step } from './joined-stage.ts';

const WITHIN_MS = 600_000;
/** So long an event is remembered that cancels. */
const REORDER_MS = 5_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Far enough apart that the two ids of a test lie in two partitions of these. */
const PARTITIONS = 3;
const ann = known('ann');
const device = anon(
  ['d1', 'd2', 'd3', 'd4', 'd5'].find(
    (id) => partitionOf(id, PARTITIONS) !== partitionOf('ann', PARTITIONS),
  )!,
);

function ruleOf(changes: Partial<InactionRule> = {}) {
  return campaignOf('c', inactionOf({ withinMs: WITHIN_MS, ...changes }));
}

/** Who qualified, the same for one partition and for several. */
async function outcomeOf(
  steps: readonly Step[],
  campaign = ruleOf(),
  check: (stage: JoinedStage) => void = () => undefined,
): Promise<{ user: string; atMs: number; of: unknown }[]> {
  const outcomes = [];
  for (const partitionCount of [1, PARTITIONS]) {
    const stage = await JoinedStage.open(partitionCount, [campaign]);
    await stage.run(steps);
    await stage.settle();
    check(stage);
    await stage.passTo(HOUR_MS);
    expect(stage.openWindows).toBe(0);
    outcomes.push(stage.qualified());
  }
  expect(outcomes[1]).toEqual(outcomes[0]);
  return outcomes[0]!.map((line) => {
    const [, user, atMs, ...body] = line.split(' ');
    const { Event_properties: event } = JSON.parse(body.join(' ')) as {
      Event_properties?: { n?: number };
    };
    return { user: user!, atMs: Number(atMs), of: event?.n };
  });
}

describe('two ids become one user', () => {
  test('the window of the one fires for the other, with its event', async () => {
    const outcome = await outcomeOf([
      did(device, 'did', 0, { n: 1 }),
      identify(ann, device, MINUTE_MS),
    ]);
    expect(outcome).toEqual([{ user: 'ann', atMs: WITHIN_MS, of: 1 }]);
  });

  test('an event by either id cancels it', async () => {
    for (const by of [ann, device]) {
      const outcome = await outcomeOf([
        did(device, 'did', 0),
        identify(ann, device, MINUTE_MS),
        did(by, 'without', 2 * MINUTE_MS),
      ]);
      expect(outcome).toEqual([]);
    }
  });

  test('of two windows the one that ends later stays, when a repeat restarts (E23)', async () => {
    const [first, second] = [
      await outcomeOf([
        did(device, 'did', 0, { n: 1 }),
        did(ann, 'did', MINUTE_MS, { n: 2 }),
        identify(ann, device, 2 * MINUTE_MS),
      ]),
      await outcomeOf([
        did(ann, 'did', 0, { n: 1 }),
        did(device, 'did', MINUTE_MS, { n: 2 }),
        identify(ann, device, 2 * MINUTE_MS),
      ]),
    ];
    const later = [{ user: 'ann', atMs: MINUTE_MS + WITHIN_MS, of: 2 }];
    expect([first, second]).toEqual([later, later]);
  });

  test('of two windows the one that ends earlier stays, when the first is kept (E23)', async () => {
    const rule = ruleOf({ onRepeat: 'keepFirst' });
    const [first, second] = [
      await outcomeOf(
        [
          did(device, 'did', 0, { n: 1 }),
          did(ann, 'did', MINUTE_MS, { n: 2 }),
          identify(ann, device, 2 * MINUTE_MS),
        ],
        rule,
      ),
      await outcomeOf(
        [
          did(ann, 'did', 0, { n: 1 }),
          did(device, 'did', MINUTE_MS, { n: 2 }),
          identify(ann, device, 2 * MINUTE_MS),
        ],
        rule,
      ),
    ];
    const earlier = [{ user: 'ann', atMs: WITHIN_MS, of: 1 }];
    expect([first, second]).toEqual([earlier, earlier]);
  });

  test('both windows stay, when they run in parallel or for different carts', async () => {
    const steps = [
      did(device, 'did', 0, { n: 1, cart: 'a' }),
      did(ann, 'did', MINUTE_MS, { n: 2, cart: 'b' }),
      identify(ann, device, 2 * MINUTE_MS),
    ];
    const both = [
      { user: 'ann', atMs: WITHIN_MS, of: 1 },
      { user: 'ann', atMs: MINUTE_MS + WITHIN_MS, of: 2 },
    ];
    const order = (a: { atMs: number }, b: { atMs: number }) => a.atMs - b.atMs;
    const parallel = await outcomeOf(steps, ruleOf({ onRepeat: 'parallel' }));
    const matched = await outcomeOf(steps, ruleOf({ match: { did: 'cart', without: 'cart' } }));
    expect([parallel.sort(order), matched.sort(order)]).toEqual([both, both]);
  });

  test('a cart’s window is cancelled only by its own cart, whichever id says so', async () => {
    const outcome = await outcomeOf(
      [
        did(device, 'did', 0, { n: 1, cart: 'a' }),
        did(device, 'did', 0, { n: 2, cart: 'b' }),
        identify(ann, device, MINUTE_MS),
        did(ann, 'without', 2 * MINUTE_MS, { cart: 'b' }),
      ],
      ruleOf({ match: { did: 'cart', without: 'cart' } }),
    );
    expect(outcome).toEqual([{ user: 'ann', atMs: WITHIN_MS, of: 1 }]);
  });

  test('a cancel that overtook its did is known to the other id as well', async () => {
    const overtaken = { ...did(ann, 'did', 2_000).event, eventAtMs: undefined };
    const cancelled = await outcomeOf([
      did(device, 'without', 1_000),
      identify(ann, device, 1_500),
      { atMs: 2_000, event: { ...overtaken, eventAtMs: Date.parse('2026-01-05T09:00:00.500Z') } },
    ]);
    expect(cancelled).toEqual([]);
  });

  test('a cancel of an older rule goes along, though its own partition has no window of it', async () => {
    const version = (n: number) => ruleOf({ withinMs: WITHIN_MS + n });
    for (const partitionCount of [1, PARTITIONS]) {
      const stage = await JoinedStage.open(partitionCount, [version(1)]);
      await stage.run([did(ann, 'did', 0), did(device, 'without', 1)]);
      // With the second the first is retired, and the third may take what is left of it.
      await stage.define([version(2)]);
      await stage.define([version(3)]);
      await stage.run([identify(ann, device, REORDER_MS)]);
      await stage.passTo(HOUR_MS);
      expect(stage.qualified()).toEqual([]);
    }
  });

  test('a join triggers nothing by itself', async () => {
    const action = campaignOf('c', { kind: 'action', on: { event: 'did' } });
    const outcome = await outcomeOf(
      [did(device, 'did', 0, { n: 1 }), identify(ann, device, MINUTE_MS)],
      action,
    );
    expect(outcome).toEqual([{ user: device.id, atMs: 0, of: 1 }]);
  });

  test('a retried event does not count again, under whichever id it was taken', async () => {
    const action = campaignOf('c', { kind: 'action', on: { event: 'did' } });
    const said = did(device, 'did', 0, { n: 1 });
    const retry = { atMs: 2 * MINUTE_MS, event: { ...said.event, messageId: 'm0' } };
    const outcome = await outcomeOf([said, identify(ann, device, MINUTE_MS), retry], action);
    expect(outcome).toEqual([{ user: device.id, atMs: 0, of: 1 }]);
  });

  test('a retried event brings its own time along, not that of the partition it came by', async () => {
    const inPartitionOf = ({ id }: { id: string }) =>
      known(['n1', 'n2', 'n3', 'n4', 'n5', 'n6'].find((name) => isNear(name, id))!);
    const isNear = (a: string, b: string) =>
      partitionOf(a, PARTITIONS) === partitionOf(b, PARTITIONS);
    const [neighbour, ahead] = [inPartitionOf(ann), inPartitionOf(device)];
    const stage = await JoinedStage.open(PARTITIONS, [ruleOf()]);
    await stage.run([
      identify(ann, device, 0),
      did(neighbour, 'did', 1),
      did(ahead, 'did', WITHIN_MS + MINUTE_MS),
      // By another door, which is behind.
      { ...did(device, 'did', 2), event: { ...did(device, 'did', 2).event, eventAtMs: START_MS } },
      did(neighbour, 'without', WITHIN_MS),
    ]);
    await stage.passTo(2 * HOUR_MS);
    expect(stage.qualified().map((line) => line.split(' ')[1])).toEqual([ann.id, ahead.id]);
  });

  test('what is left of the old id is the knowledge whose it is', async () => {
    await outcomeOf(
      [
        did(device, 'did', 0),
        did(device, 'without', 1),
        did(device, 'did', 2),
        {
          atMs: 3,
          event: {
            ...identify(device, device, 3, { plan: 'pro' }).event,
            joins: [],
          },
        },
        identify(ann, device, MINUTE_MS),
        did(ann, 'without', 2 * MINUTE_MS),
      ],
      ruleOf(),
      (stage) => {
        const { state } = stage.runnerOf(device.id).core;
        const key = keyOf(device.id, true);
        expect(state.profiles.take(key)).toBeUndefined();
        expect(state.windows.find(key, 0)).toBe(0);
        expect(state.aliases.get(key)?.to).toEqual(ann);
        const traits = stage.runnerOf('ann').core.state.profiles.attributesOf(keyOf('ann', false));
        expect({ ...traits }).toEqual({ plan: 'pro' });
      },
    );
  });

  test('of each attribute the newest value by event time is kept', async () => {
    const traits = (id: Parameters<typeof did>[0], atMs: number, values: object): Step => {
      const step = identify(id, id, atMs, { ...values });
      return { ...step, event: { ...step.event, joins: [] } };
    };
    await outcomeOf(
      [
        traits(device, 0, { old: 1, new: 1, only: 1 }),
        traits(ann, 1, { old: 2, own: 2 }),
        traits(device, 2, { new: 3 }),
        traits(ann, 1, { new: 2 }),
        identify(ann, device, MINUTE_MS, { last: 4 }),
      ],
      ruleOf(),
      (stage) => {
        const found = stage.runnerOf('ann').core.state.profiles.attributesOf(keyOf('ann', false));
        expect({ ...found }).toEqual({ old: 2, new: 3, only: 1, own: 2, last: 4 });
      },
    );
  });

  test('a chain of joins carries everything to its end', async () => {
    const ids = ['x1', 'x2', 'x3', 'x4'].map(anon);
    const outcome = await outcomeOf([
      did(ids[0]!, 'did', 0, { n: 1 }),
      identify(known('k1'), ids[0]!, 1),
      identify(known('k2'), known('k1'), 2),
      identify(ann, known('k2'), 3),
    ]);
    expect(outcome).toEqual([{ user: 'ann', atMs: WITHIN_MS, of: 1 }]);
  });
});

describe('a join in the midst of anything', () => {
  const steps: Step[] = [
    did(device, 'did', 0, { n: 1 }),
    did(anon('tablet'), 'did', 5, { n: 2 }),
    identify(ann, device, MINUTE_MS, { plan: 'pro' }),
    did(known('bob'), 'did', MINUTE_MS, { n: 3 }),
    identify(known('bob'), anon('tablet'), MINUTE_MS + 1),
    did(device, 'did', 2 * MINUTE_MS, { n: 4 }),
    identify(ann, known('bob'), 3 * MINUTE_MS),
    did(anon('tablet'), 'did', 4 * MINUTE_MS, { n: 5 }),
    did(known('bob'), 'seen', 4 * MINUTE_MS),
  ];
  const campaigns = [
    ruleOf(),
    campaignOf('p', inactionOf({ withinMs: WITHIN_MS, onRepeat: 'parallel' })),
    campaignOf('act', { kind: 'action', on: { event: 'did' } }),
  ];

  async function run(dieAfter: number, checkpoints: boolean) {
    const stage = await JoinedStage.open(PARTITIONS, campaigns);
    stage.dieAfter = dieAfter;
    for (const step of steps) {
      await stage.run([
        { ...step, event: { messageId: `m${steps.indexOf(step)}`, ...step.event } },
      ]);
      if (checkpoints) await stage.checkpoint();
    }
    await stage.passTo(HOUR_MS);
    expect(stage.openWindows).toBe(0);
    return stage;
  }

  test('a crash at any append changes nothing of what comes out', async () => {
    for (const checkpoints of [false, true]) {
      const calm = await run(Number.POSITIVE_INFINITY, checkpoints);
      const wanted = calm.qualified();
      // Each did by itself, then one window of each kind for what became one user.
      expect(wanted.filter((line) => line.startsWith('act '))).toHaveLength(5);
      expect(wanted.filter((line) => line.startsWith('c '))).toHaveLength(1);
      expect(wanted.filter((line) => line.startsWith('p '))).toHaveLength(5);
      for (let dieAfter = 1; dieAfter <= calm.appends; dieAfter++) {
        const stage = await run(dieAfter, checkpoints);
        expect(stage.deaths, `append ${dieAfter}`).toBe(1);
        expect(stage.qualified(), `append ${dieAfter}`).toEqual(wanted);
      }
    }
  });
});
