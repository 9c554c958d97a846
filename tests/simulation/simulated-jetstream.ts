import { type MsgHdrs, headers as natsHeaders } from '@nats-io/transport-node';
import type { Scheduler } from './scheduler.ts';

export interface StreamMessage {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs | undefined;
  readonly storedAtMs: number;
}

interface Stream {
  readonly config: { readonly name: string; readonly subjects: readonly string[] };
  messages: StreamMessage[];
  readonly createdAtMs: number;
  lastSeq: number;
  /** Message ids of the window of duplicates, with the sequence that each got. */
  readonly ids: Map<string, { readonly seq: number; readonly atMs: number }>;
  readonly consumers: Map<string, Consumer>;
}

/** A message on its way to a subscriber. */
export interface Delivered {
  readonly subject: string;
  readonly reply: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs | undefined;
}

/** @param inbox of the pull that it answers */
export type Deliver = (inbox: string, message: Delivered) => void;

interface Pull {
  readonly inbox: string;
  readonly deliver: Deliver;
  left: number;
  isOver: boolean;
}

interface Consumer {
  readonly name: string;
  readonly filter: string;
  nextSeq: number;
  deliveredSeq: number;
  pulls: Pull[];
}

interface PullRequest {
  readonly batch: number;
  readonly expires: number;
  readonly idle_heartbeat: number;
}

const DUPLICATES_MS = 60_000;
const NS_PER_MS = 1e6;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An error as the server says it. */
class ApiError extends Error {
  readonly error: {
    readonly code: number;
    readonly err_code: number;
    readonly description: string;
  };

  constructor(code: number, errCode: number, description: string) {
    super(description);
    this.error = { code, err_code: errCode, description };
  }
}

/**
 * What the log asks of a JetStream server, as its documentation has it: streams, compare-and-set,
 * duplicates by id, purge, pull consumers with heartbeats. No replication: a leader is there or not.
 */
export class SimulatedJetStream {
  readonly #scheduler: Scheduler;
  readonly #onStored: (message: StreamMessage) => void;
  readonly #streams = new Map<string, Stream>();
  /** Newer servers check the sequence before they look for duplicates. */
  readonly #checksDuplicatesFirst: boolean;
  #consumerCount = 0;

  constructor(scheduler: Scheduler, onStored: (message: StreamMessage) => void) {
    this.#scheduler = scheduler;
    this.#onStored = onStored;
    this.#checksDuplicatesFirst = scheduler.prng.chance(0.5);
  }

  /** Sequence of the last message of a stream; 0 when there is none. */
  lastOf(stream: string): number {
    return this.#streams.get(stream)?.lastSeq ?? 0;
  }

  /** When a stream was created, as the server says it. */
  createdOf(stream: string): string | undefined {
    const known = this.#streams.get(stream);
    return known && new Date(known.createdAtMs).toISOString();
  }

  /** Somebody deletes a stream and makes it again, with the same settings. */
  makeAnew(name: string): void {
    const old = this.#streams.get(name);
    if (old === undefined) return;
    for (const { pulls } of old.consumers.values()) {
      for (const pull of pulls) {
        pull.isOver = true;
        pull.deliver(pull.inbox, status(pull.inbox, 409, 'Consumer Deleted'));
      }
    }
    this.#streams.delete(name);
    this.#createStream(name, old.config as unknown as Record<string, unknown>);
  }

  /** Serves one request; the answer is JSON. */
  request(subject: string, data: Uint8Array, headers: MsgHdrs | undefined): Uint8Array {
    try {
      const answer = subject.startsWith('$JS.API.')
        ? this.#api(subject.slice('$JS.API.'.length), data)
        : this.#publish(subject, data, headers);
      return encoder.encode(JSON.stringify(answer));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return encoder.encode(JSON.stringify({ error: error.error }));
    }
  }

  /** A request that is answered by messages to its inbox. */
  pull(subject: string, data: Uint8Array, inbox: string, deliver: Deliver): void {
    const [, , , stream = '', name = ''] = subject.slice('$JS.API.'.length).split('.');
    const consumer = this.#streams.get(stream)?.consumers.get(name);
    if (consumer === undefined) {
      deliver(inbox, status(inbox, 503, 'No Responders'));
      return;
    }
    const {
      batch,
      expires,
      idle_heartbeat: heartbeat,
    } = JSON.parse(decoder.decode(data)) as PullRequest;
    const pull: Pull = { inbox, deliver, left: batch, isOver: false };
    consumer.pulls.push(pull);
    this.#feed(this.#streams.get(stream)!, consumer);
    const endsAtMs = this.#scheduler.nowMs + expires / NS_PER_MS;
    const beat = () => {
      if (pull.isOver) return;
      if (this.#scheduler.nowMs >= endsAtMs) {
        pull.isOver = true;
        consumer.pulls = consumer.pulls.filter((other) => other !== pull);
        deliver(inbox, status(inbox, 408, 'Request Timeout', pull.left));
        return;
      }
      const sign = status(inbox, 100, 'Idle Heartbeat');
      sign.headers?.set('Nats-Last-Consumer', String(consumer.deliveredSeq));
      deliver(inbox, sign);
      this.#scheduler.after(heartbeat / NS_PER_MS, undefined, beat);
    };
    this.#scheduler.after(heartbeat / NS_PER_MS, undefined, beat);
  }

  /** All that a connection asked for: nobody listens any more. */
  forget(deliver: Deliver): void {
    for (const { consumers } of this.#streams.values()) {
      for (const consumer of consumers.values()) {
        for (const pull of consumer.pulls) if (pull.deliver === deliver) pull.isOver = true;
        consumer.pulls = consumer.pulls.filter(({ isOver }) => !isOver);
      }
    }
  }

  /** A server that loses its memory loses the consumers that lived in it. */
  loseConsumers(): void {
    for (const { consumers } of this.#streams.values()) {
      for (const { pulls } of consumers.values()) {
        for (const pull of pulls) {
          pull.isOver = true;
          pull.deliver(pull.inbox, status(pull.inbox, 409, 'Leadership Change'));
        }
      }
      consumers.clear();
    }
  }

  #api(subject: string, data: Uint8Array): unknown {
    const [kind, verb, name = '', consumer = ''] = subject.split('.');
    const body = (data.length === 0 ? {} : JSON.parse(decoder.decode(data))) as Record<
      string,
      unknown
    >;
    if (kind === 'INFO') return { type: 'io.nats.jetstream.api.v1.account_info_response' };
    if (kind === 'STREAM' && verb === 'CREATE') return this.#createStream(name, body);
    if (kind === 'STREAM' && verb === 'MSG') return this.#message(consumer, body);
    const stream = this.#streams.get(name);
    if (stream === undefined) throw new ApiError(404, 10059, 'stream not found');
    if (kind === 'STREAM' && verb === 'INFO') return infoOf(stream, body);
    if (kind === 'STREAM' && verb === 'PURGE') return purge(stream, body);
    if (kind === 'CONSUMER' && verb === 'CREATE') return this.#createConsumer(stream, body);
    if (kind === 'CONSUMER' && verb === 'INFO') return consumerInfo(stream, consumer);
    if (kind === 'CONSUMER' && verb === 'DELETE') {
      return { success: stream.consumers.delete(consumer) };
    }
    throw new Error(`the simulated server does not know ${subject}`);
  }

  #createStream(name: string, body: Record<string, unknown>): unknown {
    const config = body as unknown as Stream['config'];
    const known = this.#streams.get(name);
    if (known !== undefined) {
      if (JSON.stringify(known.config) === JSON.stringify(config)) return infoOf(known, {});
      throw new ApiError(400, 10058, 'stream name already in use');
    }
    const stream: Stream = {
      config,
      messages: [],
      createdAtMs: Math.floor(this.#scheduler.nowMs),
      lastSeq: 0,
      ids: new Map(),
      consumers: new Map(),
    };
    this.#streams.set(name, stream);
    return infoOf(stream, {});
  }

  #message(name: string, query: Record<string, unknown>): unknown {
    const stream = this.#streams.get(name);
    if (stream === undefined) throw new ApiError(404, 10059, 'stream not found');
    const {
      last_by_subj: last,
      next_by_subj: next,
      seq,
    } = query as {
      last_by_subj?: string;
      next_by_subj?: string;
      seq?: number;
    };
    const found =
      last !== undefined
        ? stream.messages.findLast(({ subject }) => isMatch(last, subject))
        : stream.messages.find((one) =>
            next === undefined
              ? one.seq === seq
              : one.seq >= (seq ?? 0) && isMatch(next, one.subject),
          );
    if (found === undefined) throw new ApiError(404, 10037, 'no message found');
    const { subject, data, headers, storedAtMs } = found;
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
    return {
      message: {
        subject,
        seq: found.seq,
        data: base64(data),
        ...(headers === undefined ? {} : { hdrs: base64(encoded(headers)) }),
        time: new Date(storedAtMs).toISOString(),
      },
    };
  }

  #createConsumer(stream: Stream, body: Record<string, unknown>): unknown {
    const {
      filter_subject: filter,
      opt_start_seq: sequence,
      opt_start_time: time,
    } = body.config as {
      filter_subject: string;
      opt_start_seq?: number;
      opt_start_time?: string;
    };
    const startMs = Date.parse(time ?? '');
    const first = stream.messages.find(({ storedAtMs }) => storedAtMs >= startMs);
    const start = sequence ?? first?.seq ?? stream.lastSeq + 1;
    const name = `c${++this.#consumerCount}`;
    stream.consumers.set(name, { name, filter, nextSeq: start, deliveredSeq: 0, pulls: [] });
    return { stream_name: stream.config.name, name, config: body.config };
  }

  #publish(subject: string, data: Uint8Array, headers: MsgHdrs | undefined): unknown {
    const stream = [...this.#streams.values()].find(({ config }) =>
      config.subjects.some((pattern) => isMatch(pattern, subject)),
    );
    if (stream === undefined) throw new ApiError(404, 10059, 'stream not found');
    const { nowMs } = this.#scheduler;
    const id = headers?.get('Nats-Msg-Id') ?? '';
    const known = id === '' ? undefined : stream.ids.get(id);
    const isDuplicate = known !== undefined && nowMs - known.atMs < DUPLICATES_MS;
    const duplicate = { stream: stream.config.name, seq: known?.seq, duplicate: true };
    if (isDuplicate && this.#checksDuplicatesFirst) return duplicate;
    const expected = headers?.get('Nats-Expected-Last-Subject-Sequence') ?? '';
    const last = stream.messages.findLast((one) => one.subject === subject)?.seq ?? 0;
    if (expected !== '' && Number(expected) !== last) {
      throw new ApiError(400, 10071, `wrong last sequence: ${last}`);
    }
    if (isDuplicate) return duplicate;
    const message: StreamMessage = {
      seq: ++stream.lastSeq,
      subject,
      data: new Uint8Array(data),
      headers,
      storedAtMs: Math.floor(nowMs),
    };
    stream.messages.push(message);
    if (id !== '') stream.ids.set(id, { seq: message.seq, atMs: nowMs });
    this.#onStored(message);
    for (const consumer of stream.consumers.values()) this.#feed(stream, consumer);
    return { stream: stream.config.name, seq: message.seq };
  }

  #feed(stream: Stream, consumer: Consumer): void {
    for (;;) {
      const pull = consumer.pulls[0];
      if (pull === undefined) return;
      const next = stream.messages.find(
        ({ seq, subject }) => seq >= consumer.nextSeq && isMatch(consumer.filter, subject),
      );
      if (next === undefined) return;
      consumer.nextSeq = next.seq + 1;
      consumer.deliveredSeq++;
      const stamp = `${Math.floor(next.storedAtMs)}000000`;
      const pending = pendingOf(stream, consumer);
      const numbers = `1.${next.seq}.${consumer.deliveredSeq}.${stamp}.${pending}`;
      pull.deliver(pull.inbox, {
        subject: next.subject,
        reply: `$JS.ACK.${stream.config.name}.${consumer.name}.${numbers}`,
        data: new Uint8Array(next.data),
        headers: next.headers,
      });
      if (--pull.left > 0) continue;
      pull.isOver = true;
      consumer.pulls.shift();
    }
  }
}

function infoOf(stream: Stream, { subjects_filter: filter }: Record<string, unknown>): unknown {
  const { config, messages, lastSeq } = stream;
  const created = new Date(stream.createdAtMs).toISOString();
  if (filter === undefined)
    return { config, created, state: { messages: messages.length, last_seq: lastSeq } };
  const subjects: Record<string, number> = {};
  for (const { subject } of messages) {
    if (isMatch(String(filter), subject)) subjects[subject] = (subjects[subject] ?? 0) + 1;
  }
  return { config, created, state: { messages: messages.length, last_seq: lastSeq, subjects } };
}

function consumerInfo(stream: Stream, name: string): unknown {
  const consumer = stream.consumers.get(name);
  if (consumer === undefined) throw new ApiError(404, 10014, 'consumer not found');
  const delivered = { consumer_seq: consumer.deliveredSeq, stream_seq: consumer.nextSeq - 1 };
  return {
    name,
    stream_name: stream.config.name,
    delivered,
    num_pending: pendingOf(stream, consumer),
  };
}

function pendingOf({ messages }: Stream, { nextSeq, filter }: Consumer): number {
  return messages.filter(({ seq, subject }) => seq >= nextSeq && isMatch(filter, subject)).length;
}

/** Up to `seq`, but not with it. */
function purge(stream: Stream, { filter, seq }: Record<string, unknown>): unknown {
  const before = stream.messages.length;
  stream.messages = stream.messages.filter(
    (one) => !isMatch(String(filter), one.subject) || one.seq >= Number(seq),
  );
  return { success: true, purged: before - stream.messages.length };
}

function isMatch(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  for (const [i, token] of wanted.entries()) {
    if (token === '>') return tokens.length > i;
    if (token !== '*' && token !== tokens[i]) return false;
  }
  return wanted.length === tokens.length;
}

function status(inbox: string, code: number, description: string, left?: number): Delivered {
  const headers = natsHeaders(code, description);
  if (left !== undefined) headers.set('Nats-Pending-Messages', String(left));
  return { subject: inbox, reply: '', data: NOTHING, headers };
}

function encoded(headers: MsgHdrs): Uint8Array {
  return (headers as unknown as { encode(): Uint8Array }).encode();
}
