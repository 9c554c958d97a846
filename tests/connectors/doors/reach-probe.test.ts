import { expect, test } from 'vitest';
import { ReachProbe } from '../../../connectors/doors/nats/reach-probe.ts';
import { Horizon } from '../../../engine/intake/horizon.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const NOW_MS = 1_700_000_000_000;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function stage(consumerSequence: number) {
  const clock = new ManualClock(NOW_MS);
  const horizon = new Horizon(clock);
  let questions = 0;
  const door = horizon.join(() => probe.want());
  const ask = async () => {
    questions++;
    return { consumerSequence };
  };
  const probe = new ReachProbe({ clock, door, ask });
  door.isBehind = false;
  door.passed(NOW_MS - 10);
  return { clock, horizon, door, probe, questions: () => questions };
}

test('reach probe: asks again while a message does not come, whoever waits', async () => {
  const { clock, horizon, probe, questions } = stage(7);
  let isPassed = false;
  horizon.wait(NOW_MS - 5, () => {
    isPassed = true;
  });
  await turn();
  expect(questions()).toBe(1);
  // The seventh was given and is lost: nothing else comes that would ask.
  for (let second = 1; second <= 5; second++) {
    clock.advanceTo(NOW_MS + second * 1_000);
    await turn();
  }
  expect([questions(), isPassed]).toEqual([6, false]);
  probe.taken(7);
  expect(isPassed).toBe(true);
});

test('reach probe: asks no more once it has been reached', async () => {
  const { clock, horizon, probe, questions } = stage(7);
  horizon.wait(NOW_MS - 5, () => undefined);
  await turn();
  probe.taken(7);
  for (let second = 1; second <= 5; second++) {
    clock.advanceTo(NOW_MS + second * 1_000);
    await turn();
  }
  expect(questions()).toBeLessThanOrEqual(2);
});

test('reach probe: asks another consumer, when the question to the first has no answer', async () => {
  const clock = new ManualClock(NOW_MS);
  const horizon = new Horizon(clock);
  const answers: ((reach: { consumerSequence: number }) => void)[] = [];
  const door = horizon.join(() => probe.want());
  const ask = () =>
    new Promise<{ consumerSequence: number }>((resolve) => {
      answers.push(resolve);
    });
  const probe = new ReachProbe({ clock, door, ask });
  door.isBehind = false;
  door.passed(NOW_MS - 10);
  let isPassed = false;
  horizon.wait(NOW_MS - 5, () => {
    isPassed = true;
  });
  await turn();
  expect(answers).toHaveLength(1);
  clock.advanceTo(NOW_MS + 5_000);
  probe.restart();
  await turn();
  expect(answers).toHaveLength(2);
  // The silent one speaks at last: of sequences that mean nothing by now.
  answers[0]!({ consumerSequence: 0 });
  await turn();
  expect(isPassed).toBe(false);
  answers[1]!({ consumerSequence: 1 });
  await turn();
  expect(isPassed).toBe(false);
  probe.taken(1);
  expect(isPassed).toBe(true);
});
