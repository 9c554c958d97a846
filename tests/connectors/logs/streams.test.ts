import { JetStreamApiError, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { ApiErrorCode } from '../../../connectors/logs/jetstream/api-errors.ts';
import { withRetries } from '../../../connectors/logs/jetstream/retry.ts';
import { ensureStream, type StreamClients } from '../../../connectors/logs/jetstream/streams.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const OPTIONS = { prefix: 'lapse', replicas: 1, create: true };

/** A server without streams, which answers the wish for one like this. */
function clientsOf(add: () => Promise<unknown>): StreamClients {
  const description = 'stream not found';
  const err_code = ApiErrorCode.streamNotFound;
  const info = () => Promise.reject(new JetStreamApiError({ code: 404, err_code, description }));
  const getMessage = () => Promise.resolve(null);
  return {
    manager: { streams: { info, add, getMessage } } as unknown as JetStreamManager,
    client: { publish: () => Promise.resolve({}) } as unknown as JetStreamClient,
  };
}

test('streams: one is made in the end, by a server that was silent before', async () => {
  const silences = 3;
  let asked = 0;
  const clients = clientsOf(() =>
    ++asked <= silences ? Promise.reject(new Error('timeout')) : Promise.resolve({}),
  );
  const clock = new ManualClock(0);
  let isMade = false;
  const making = withRetries(() => ensureStream(clients, 'out', OPTIONS), {
    what: 'make the stream',
    isClosed: () => false,
    isConnected: () => true,
    clock,
  }).then(() => {
    isMade = true;
  });
  for (let second = 1; second <= 5 && !isMade; second++) {
    await new Promise(setImmediate);
    clock.advanceTo(second * 1_000);
  }
  await making;
  expect(asked).toBe(silences + 1);
});

test('streams: one that the server refuses to make is not asked for again', async () => {
  const description = 'insufficient storage';
  const refusal = new JetStreamApiError({ code: 500, err_code: 10_074, description });
  let asked = 0;
  const clients = clientsOf(() => {
    asked++;
    return Promise.reject(refusal);
  });
  await expect(ensureStream(clients, 'out', OPTIONS)).rejects.toMatchObject({
    code: 'ERR_NATS_JETSTREAM',
    cause: refusal,
  });
  expect(asked).toBe(1);
});
