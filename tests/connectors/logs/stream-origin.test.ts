import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { StreamOrigins } from '../../../connectors/logs/jetstream/stream-origin.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const CREATED = '2026-11-01T10:00:00Z';

const infoOf = (lastSequence: number, created = CREATED) =>
  ({ created, state: { last_seq: lastSequence } }) as unknown as StreamInfo;

/** A server that answers when it is told to. */
function stage() {
  const answers: ((info: StreamInfo) => void)[] = [];
  const info = () => new Promise<StreamInfo>((resolve) => answers.push(resolve));
  const manager = { streams: { info } } as unknown as JetStreamManager;
  const origins = new StreamOrigins(manager, new ManualClock(0), 'lapse');
  origins.learn('in', CREATED);
  return { origins, answers };
}

test('stream origins: answers that overtake one another are no loss', async () => {
  const { origins, answers } = stage();
  const [first, second] = [origins.check('in'), origins.check('in')];
  answers[1]!(infoOf(71));
  await second;
  answers[0]!(infoOf(70));
  await expect(first).resolves.toBeUndefined();
});

test('stream origins: a stream that ends earlier than before is another one', async () => {
  const { origins, answers } = stage();
  const first = origins.check('in');
  answers[0]!(infoOf(71));
  await first;
  const second = origins.check('in');
  answers[1]!(infoOf(70));
  await expect(second).rejects.toMatchObject({ code: 'ERR_LOG_GONE' });
});

test('stream origins: a stream of another time of creation is another one', async () => {
  const { origins, answers } = stage();
  const check = origins.check('in');
  answers[0]!(infoOf(71, '2026-11-02T10:00:00Z'));
  await expect(check).rejects.toMatchObject({ code: 'ERR_LOG_GONE' });
});
