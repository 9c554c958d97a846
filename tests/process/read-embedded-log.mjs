// Reads an embedded log from outside, in a process of its own: LMDB is native code, and what it
// meets in the files of a process that is killed again and again must never end the tests with it.
//
// Asked with { directory, upTo: { topic: offset } }, it answers with what stands behind: a list of
// { name, tail, trimmedUpTo, envelopes }, or { error }.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import {
  ENVELOPE_KEY_BYTES,
  envelopeKey,
  STORED,
} from '../../dist/connectors/logs/embedded/lmdb-schema.js';

/** The very files, under LMDB's own lock: one snapshot, whatever is committed meanwhile. */
async function readLog({ directory, upTo }) {
  if (!existsSync(join(directory, 'data.mdb'))) return [];
  const root = open({ path: directory, readOnly: true, maxDbs: 4, maxReaders: 512 });
  const topics = root.openDB({ name: 'topics', encoding: 'json' });
  const envelopes = root.openDB({ name: 'envelopes', encoding: 'binary', keyEncoding: 'binary' });
  const transaction = root.useReadTransaction();
  try {
    const found = [];
    for (const { key: name, value: record } of topics.getRange({ transaction })) {
      const { id, tail, trimmedUpTo } = record;
      const from = Math.max(upTo[name] ?? 0, trimmedUpTo);
      const behind = [];
      for (let offset = from + 1; offset <= tail; offset++) {
        const key = envelopeKey(Buffer.alloc(ENVELOPE_KEY_BYTES), id, offset);
        const stored = envelopes.get(key, { transaction });
        if (stored === undefined) {
          throw new Error(`offset ${offset} of ${name} must be there, it is missing`);
        }
        behind.push(new Uint8Array(stored.subarray(STORED.bytes)));
      }
      found.push({ name, tail, trimmedUpTo, envelopes: behind });
    }
    return found;
  } finally {
    transaction.done();
    await root.close();
  }
}

process.on('message', (request) => {
  readLog(request).then(
    (topics) => process.send({ topics }),
    (error) => process.send({ error: error.stack }),
  );
});
