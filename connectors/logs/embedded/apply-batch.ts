/** Gives what a client wants to append its place in its topics, or says why it has none. */
import { judgeFence } from '../../../engine/log/fence.ts';
import { readFence, STORED } from './lmdb-schema.ts';
import { type AppendBatch, ENTRY, EntryKind, RESULT, ResultStatus } from './storage-protocol.ts';
import type { Topic, Topics } from './topics.ts';
import type { WrittenEntry } from './write-ahead-frame.ts';

/** A batch and the names of the topics that its client has sent so far. */
export interface PendingBatch {
  readonly batch: AppendBatch;
  readonly topics: readonly string[];
}

export interface Applied {
  /** For the client, see `RESULT`. */
  readonly results: Float64Array<ArrayBuffer>;
  readonly entries: readonly WrittenEntry[];
}

/** The batch's bytes become the topics' values: they must not be written to any more. */
export function applyBatch(
  topics: Topics,
  { batch, topics: names }: PendingBatch,
  { storedAtMs, bytesMax }: { readonly storedAtMs: number; readonly bytesMax: number },
): Applied {
  const { entries, bytes } = batch;
  const count = entries.length / ENTRY.fields;
  const results = new Float64Array(count * RESULT.fields);
  const written: WrittenEntry[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * ENTRY.fields;
    const topic = topics.get(names[entries[at + ENTRY.topic]!]!);
    const start = entries[at + ENTRY.start]!;
    const value = bytes.subarray(start, start + entries[at + ENTRY.length]!);
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    const isClaim = entries[at + ENTRY.kind] === EntryKind.claim;
    const epoch = isClaim ? entries[at + ENTRY.epoch]! : 0;
    const isFull = topics.bytes + value.length > bytesMax;
    const verdict = judge(topic, view, { epoch, isFull });
    results[i * RESULT.fields + RESULT.status] = verdict.status;
    results[i * RESULT.fields + RESULT.value] = verdict.value;
    if (verdict.status !== ResultStatus.stored) continue;
    view.setFloat64(STORED.storedAtMs, storedAtMs, true);
    topics.append(topic, value, epoch);
    written.push({ topic: topic.name, topicId: topic.id, offset: topic.tail, epoch, value });
  }
  return { results, entries: written };
}

/** @param epoch of a claim, 0 of an append */
function judge(
  topic: Topic,
  value: DataView,
  { epoch, isFull }: { readonly epoch: number; readonly isFull: boolean },
) {
  if (epoch > 0 && epoch <= topic.epoch) return { status: ResultStatus.taken, value: topic.epoch };
  const fence = readFence(value, 0);
  if (fence !== undefined) {
    const stored = topic.positions.get(fence.writer);
    const verdict = judgeFence(stored, { position: fence.position });
    if (verdict === 'fenced') return { status: ResultStatus.fenced, value: stored?.epoch ?? 0 };
    if (verdict === 'replay') return { status: ResultStatus.replay, value: 0 };
  }
  if (isFull) return { status: ResultStatus.full, value: 0 };
  return { status: ResultStatus.stored, value: topic.tail + 1 };
}
