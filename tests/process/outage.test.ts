/** Lapse is down past deadlines: what came in time still counts, on either log. */
import { afterEach, describe, expect, test } from 'vitest';
import { type PlannedEvent, wireEvent } from '../support/event-feed.ts';
import { natsPrograms } from '../support/nats-server.ts';
import { until } from '../support/until.ts';
import { Stage } from './stage.ts';

/** Long enough for a stop and for what the buyers do while nobody runs. */
const WITHIN_MS = 5_000;
const USERS = 60;
/** So many events are waiting that reading them takes longer than a deadline check. */
const NOISE_EVENTS = 20_000;
const NOISE_LOT = 500;
const CAMPAIGN = {
  id: 'abandoned',
  webhook: 'single',
  qualify: {
    live: {
      inaction: {
        did: { event: 'Added To Cart' },
        without: { event: 'Charged' },
        within: `${WITHIN_MS}ms`,
      },
    },
  },
};
const programs = await natsPrograms();

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

function planned(user: string, name: string): PlannedEvent {
  const messageId = `${user} ${name}`;
  return { type: 'track', user, isAnonymous: false, name, messageId, facts: { id: messageId } };
}

function events(users: readonly string[], name: string) {
  return users.map((user) => wireEvent(planned(user, name), Date.now()));
}

const users = Array.from({ length: USERS }, (_, i) => `user-${i}`);
const buyers = users.filter((_, i) => i % 2 === 0);
const others = users.filter((_, i) => i % 2 === 1);

/** Users who got a message, as often as they did. */
function messaged({ sink }: Stage): string[] {
  return sink.requests.flatMap(({ profiles }) =>
    profiles.map(({ Identity }) => Identity as string),
  );
}

describe.each(programs)('an outage with NATS $version', (nats) => {
  const isNewest = nats === programs.at(-1);

  // The older server is asked once: what differs is how it stores, not how Lapse ended.
  test.each(isNewest ? ['SIGKILL', 'SIGTERM'] : ['SIGKILL'])(
    'messages nobody who bought meanwhile and everybody else once, after %s',
    async (signal) => {
      stage = await Stage.open({ campaigns: [CAMPAIGN], nats });
      const first = await stage.serve().ready();
      await stage.producer(events(users, 'Added To Cart'));
      await until(
        'windows are open',
        async () => (await first.metric('lapse_windows_open')) === USERS,
      );
      const openedAtMs = Date.now();
      await (signal === 'SIGKILL' ? first.kill() : first.stop());
      await stage.producer(events(buyers, 'Charged'));
      expect(Date.now()).toBeLessThan(openedAtMs + WITHIN_MS);
      await until('the deadlines have passed', () => Date.now() > openedAtMs + WITHIN_MS);
      await makeNoise(stage);
      expect(messaged(stage)).toEqual([]);
      const second = stage.serve();
      await second.ready();
      await until('the others are messaged', () => messaged(stage!).length >= others.length);
      const acknowledged = [...idsOf(users, 'Added To Cart'), ...idsOf(buyers, 'Charged')];
      await stage.reckon(second, { acknowledged: new Set(acknowledged), joined: new Set() });
      expect(messaged(stage).sort()).toEqual([...others].sort());
    },
  );

  // The server makes no difference here, so one of them is enough.
  if (isNewest) {
    test('turns HTTP events away during the catch-up and takes them afterwards', async () => {
      stage = await Stage.open({ campaigns: [CAMPAIGN], nats });
      await (await stage.serve().ready()).stop();
      await makeNoise(stage);
      const serve = stage.serve();
      const answers: string[] = [];
      const body = JSON.stringify(wireEvent(planned('late', 'Added To Cart'), Date.now()));
      await until(
        'the event is taken',
        async () => {
          const answer = await postTrack(stage!.url, body);
          if (answer !== undefined) answers.push(answer);
          return answer === '200';
        },
        { pollMs: 1 },
      );
      await serve.ready();
      const refusals = answers.slice(0, -1);
      expect(new Set(refusals)).toContain('503 ERR_CATCHING_UP');
      const known = ['503 ERR_NOT_READY', '503 ERR_CATCHING_UP'];
      expect(refusals.filter((answer) => !known.includes(answer))).toEqual([]);
      await until('the window fires', () => messaged(stage!).length > 0);
      expect(messaged(stage)).toEqual(['late']);
    });
  }
});

/** Events that nobody asks about, for a catch-up that takes its time. */
async function makeNoise({ producer }: Stage): Promise<void> {
  for (let i = 0; i < NOISE_EVENTS; i += NOISE_LOT) {
    const names = Array.from({ length: NOISE_LOT }, (_, n) => `noise-${i + n}`);
    await producer(events(names, 'Viewed'));
  }
}

/** @returns status and code of the answer; undefined when nobody listens */
async function postTrack(url: string, body: string): Promise<string | undefined> {
  const headers = { 'content-type': 'application/json' };
  let response: Response;
  try {
    response = await fetch(`${url}/v1/track`, { method: 'POST', headers, body });
  } catch {
    return undefined;
  }
  const { code } = (await response.json()) as { code?: string };
  return code === undefined ? String(response.status) : `${response.status} ${code}`;
}

describe('an outage with the embedded log', () => {
  test('fires what came due meanwhile after the restart, each once', async () => {
    stage = await Stage.open({ campaigns: [CAMPAIGN] });
    const first = await stage.serve().ready();
    await stage.producer(events(users, 'Added To Cart'));
    await stage.producer(events(buyers, 'Charged'));
    await first.kill();
    const downAtMs = Date.now();
    await until('the deadlines have passed', () => Date.now() > downAtMs + WITHIN_MS);
    const second = await stage.serve().ready();
    await until('the others are messaged', () => messaged(stage!).length >= others.length);
    const acknowledged = new Set(idsOf(users, 'Added To Cart'));
    await stage.reckon(second, { acknowledged, joined: new Set() });
    expect(messaged(stage).sort()).toEqual([...others].sort());
  });
});

function idsOf(of: readonly string[], name: string): string[] {
  return of.map((user) => planned(user, name).messageId);
}
