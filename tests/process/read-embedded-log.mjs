// Reads an embedded log from outside, in a process of its own: LMDB is native code, and what it
// meets in the files of a process that is killed again and again must never end the tests with it.
//
// Started with the log's folder, which need not be there yet. It reads on by itself, because the
// log is trimmed while the tests wait for the processor. To any message it answers with what it has
// read since the last one, as { topics: [{ name, tail, trimmedUpTo, envelopes }] }, or { error }.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import {
  ENVELOPE_KEY_BYTES,
  envelopeKey,
  STORED,
} from '../../dist/connectors/logs/embedded/lmdb-schema.js';
import { writtenAhead } from '../../dist/connectors/logs/embedded/write-ahead.js';

const READ_EVERY_MS = 100;
const ATTEMPTS_MAX = 100;
/** Address space beyond what the log ever takes: one that grew under us would not be mapped. */
const MAP_BYTES = 4 * 2 ** 30;
const directory = process.argv[2];
/** By name: how far it is read, and what has not been asked for. */
const topics = new Map();
let reading = Promise.resolve();

/**
 * Opened once: each opening looks for readers whose process has died, and takes those of a process
 * that runs for dead, whose snapshot is overwritten then.
 */
let databases;

async function openLog() {
  if (!existsSync(join(directory, 'data.mdb'))) return undefined;
  const root = open({
    path: directory,
    readOnly: true,
    maxDbs: 4,
    maxReaders: 512,
    mapSize: MAP_BYTES,
  });
  const identity = root.openDB({ name: 'identity', encoding: 'json' });
  const records = root.openDB({ name: 'topics', encoding: 'json' });
  const envelopes = root.openDB({ name: 'envelopes', encoding: 'binary', keyEncoding: 'binary' });
  const all = { root, identity, records, envelopes };
  if (Object.values(all).every((one) => one !== undefined)) return all;
  // The file is there, its databases are not yet.
  await root.close();
  return undefined;
}

/** What is written ahead of the tables; the last frame may be half written, which is no frame. */
const path = join(directory, 'write-ahead');
const ahead = { path, read: () => (existsSync(path) ? readFileSync(path) : undefined) };

/** As the tables have them, under LMDB's own lock: one snapshot, whatever is committed meanwhile. */
function inSnapshot(work) {
  databases.root.resetReadTxn();
  const transaction = databases.root.useReadTransaction();
  try {
    return work(transaction);
  } finally {
    transaction.done();
  }
}

function tails() {
  const { records } = databases;
  return inSnapshot((transaction) =>
    JSON.stringify([...records.getRange({ transaction })].map(({ value }) => value.tail)),
  );
}

/**
 * The very files. Topics come to the tables one after the other, so what is written ahead is read
 * with them, and the tables must be the same before and after: then both together are what was
 * committed at one instant.
 */
async function readLog() {
  databases ??= await openLog();
  if (databases === undefined) return;
  for (let attempt = 1; ; attempt++) {
    const before = tails();
    const written = framesBetween(attempt);
    if (written === undefined) continue;
    if (tails() !== before) continue;
    inSnapshot(readTables);
    if (tails() !== before) continue;
    for (const { topic: name, offset, value } of written) {
      const topic = topics.get(name) ?? { upTo: 0, trimmedUpTo: 0, envelopes: [] };
      topics.set(name, topic);
      if (offset <= topic.upTo) continue;
      if (offset > topic.upTo + 1) throw new Error(`${name} lacks offset ${topic.upTo + 1}`);
      topic.envelopes.push(new Uint8Array(value.subarray(STORED.bytes)));
      topic.upTo = offset;
    }
    return;
  }
}

/** The file is written while it is read, and may look damaged now and then. */
function framesBetween(attempt) {
  try {
    databases.root.resetReadTxn();
    return writtenAhead(ahead, databases.identity.get('log')?.ahead);
  } catch (error) {
    if (attempt > ATTEMPTS_MAX) throw error;
    return undefined;
  }
}

function readTables(transaction) {
  const { records, envelopes } = databases;
  for (const { key: name, value: record } of records.getRange({ transaction })) {
    const { id, tail, trimmedUpTo } = record;
    const topic = topics.get(name) ?? { upTo: 0, envelopes: [] };
    topics.set(name, topic);
    if (/^in\.\d+$/.test(name) && trimmedUpTo > topic.upTo) {
      throw new Error(`${name} was trimmed up to ${trimmedUpTo}, read up to ${topic.upTo}`);
    }
    for (let offset = Math.max(topic.upTo, trimmedUpTo) + 1; offset <= tail; offset++) {
      const key = envelopeKey(Buffer.alloc(ENVELOPE_KEY_BYTES), id, offset);
      const stored = envelopes.get(key, { transaction });
      if (stored === undefined) {
        throw new Error(`offset ${offset} of ${name} must be there, it is missing`);
      }
      topic.envelopes.push(new Uint8Array(stored.subarray(STORED.bytes)));
      topic.upTo = offset;
    }
    topic.upTo = Math.max(topic.upTo, tail);
    topic.trimmedUpTo = trimmedUpTo;
  }
}

/** One at a time: what fails is told to whoever asks, who reads again. */
function readOn() {
  reading = reading.then(readLog, readLog);
  return reading;
}

function takeRead() {
  const read = [];
  for (const [name, topic] of topics) {
    const { upTo: tail, trimmedUpTo, envelopes } = topic;
    read.push({ name, tail, trimmedUpTo, envelopes });
    topic.envelopes = [];
  }
  return read;
}

setInterval(() => readOn().catch(() => undefined), READ_EVERY_MS);
process.on('disconnect', () => process.exit());
process.on('message', () => {
  readOn().then(
    () => process.send({ topics: takeRead() }),
    (error) => process.send({ error: error.stack }),
  );
});
