/** Small things that are read back from the log, from NATS headers, and from the command line. */
import { Packr } from 'msgpackr';
import { readAssignments } from '../../../app/cli/commands/send-values.ts';
import { retryAfterMsOf } from '../../../app/cli/lapse-client.ts';
import { decodePosition } from '../../../connectors/doors/nats/source-position.ts';
import { decodeRejected } from '../../../connectors/doors/rejected.ts';
import { positionFrom, positionText } from '../../../connectors/logs/jetstream/fence-header.ts';
import { judgeFence } from '../../../engine/log/fence.ts';
import { demand, type FuzzTarget, type Outcome } from '../target.ts';

const AT_MS = Date.parse('2026-01-05T09:00:00Z');

function runPosition(input: Uint8Array): Outcome {
  const { sequence, storedAtMs } = decodePosition(input);
  demand(Number.isSafeInteger(sequence) && sequence >= 0, () => `The sequence ${sequence}.`);
  demand(Number.isFinite(storedAtMs), () => `The time ${storedAtMs}.`);
  return 'accepted';
}

export const sourcePositions: FuzzTarget = {
  name: 'source-position',
  format: 'json',
  seeds: () => [
    JSON.stringify({ sequence: 130, storedAtMs: AT_MS, created: '2026-01-01T00:00:00Z' }),
  ],
  words: ['sequence', 'storedAtMs', 'created'],
  open: () => ({ run: runPosition }),
};

function runRejected(input: Uint8Array): Outcome {
  for (const { bytes, atMs, index } of decodeRejected(input)) {
    demand(bytes instanceof Uint8Array, () => 'Refused input without bytes.');
    demand(Number.isFinite(atMs) && Number.isSafeInteger(index), () => 'A place that is none.');
  }
  return 'accepted';
}

export const rejectedRecords: FuzzTarget = {
  name: 'rejected-record',
  format: 'bytes',
  seeds: () => {
    const packr = new Packr({ useRecords: false, useToJSON: false });
    const one = {
      ...{ atMs: AT_MS, door: 'http', index: 0, code: 'ERR_EVENT_USER', message: 'No user.' },
      ...{ bytes: Buffer.from('{"a":1}'), isCut: false },
    };
    return [packr.pack([one]), packr.pack([one, { ...one, door: 'nats', index: 4 }])];
  },
  words: ['atMs', 'door', 'bytes', 'isCut'],
  open: () => ({ run: runRejected }),
};

/** A fence that cannot be read must let nothing through that a readable one would stop. */
function runFence(input: Uint8Array): Outcome {
  const text = Buffer.from(input).toString();
  const position = positionFrom(text);
  if (position === undefined) return 'refused';
  const again = positionFrom(positionText(position));
  demand(JSON.stringify(again) === JSON.stringify(position), () => `${text} is two positions.`);
  const verdict = judgeFence(position, { position });
  demand(verdict === 'replay', () => `A fence lets itself through: ${verdict}.`);
  return 'accepted';
}

export const fenceHeaders: FuzzTarget = {
  name: 'fence-header',
  format: 'bytes',
  seeds: () => ['3 17 2', '0 0 0', '1 9007199254740991 4294967295'],
  words: [' ', '-1', 'NaN', '1e3', '0x1', 'Infinity', '9007199254740993', '١'],
  open: () => ({ run: runFence }),
};

/** `name=value` of the command line, and the `Retry-After` that a client is told. */
function runSaid(input: Uint8Array): Outcome {
  const text = Buffer.from(input).toString();
  const waitMs = retryAfterMsOf(text, AT_MS);
  demand(waitMs >= 0, () => `A wait of ${waitMs} ms.`);
  const values = readAssignments('--property', text.split('\u0000'));
  demand(Object.getPrototypeOf(values) === Object.prototype, () => 'A prototype was set.');
  for (const value of Object.values(values)) {
    demand(typeof value !== 'number' || Number.isFinite(value), () => `The value ${value}.`);
  }
  return 'accepted';
}

export const commandValues: FuzzTarget = {
  name: 'command-values',
  format: 'bytes',
  seeds: () => ['price=49.9', 'a={"b":[1,2]}\u0000__proto__={"x":1}', 'id=00012', '120'],
  words: ['=', '__proto__=', '1e400', '9007199254740993', 'Mon, 05 Jan 2026 09:00:30 GMT'],
  open: () => ({ run: runSaid }),
};
