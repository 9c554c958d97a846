/**
 * The streams of a JetStream log: made when missing, never altered when somebody else made them.
 * A stream's description is the mark that Lapse made it (metadata would need NATS 2.10).
 */
import { randomUUID } from 'node:crypto';
import {
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { LapseError, messageOf, userError } from '../../../engine/errors/errors.ts';
import { ApiErrorCode, apiErrorCodeOf } from './api-errors.ts';
import { deletedError, goneError, readCreatedNote, requireNoted } from './stream-origin.ts';
import { identitySubject, streamOf } from './subjects.ts';

export const JETSTREAM_FORMAT_VERSION = 1;

export interface StreamOptions {
  readonly prefix: string;
  readonly replicas: number;
  /** False: streams that are missing are an error. */
  readonly create: boolean;
}

interface Identity {
  readonly formatVersion: number;
  readonly partitionCount: number;
  readonly id: string;
}

const MARK = 'Made by Lapse.';
/**
 * Longer than an append is tried again for, so that a late copy is still known as one; not much
 * longer, because the server keeps the ids of all that time in memory.
 */
const DUPLICATE_WINDOW_NS = 60_000 * 1e6;

export interface StreamClients {
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
}

/**
 * Makes the stream of a kind when it is missing, that of `meta` first of all.
 * @returns when it was created, as the server says it
 * @throws LapseError `ERR_STREAM_FOREIGN`, `ERR_STREAM_MISSING`, `ERR_NATS_JETSTREAM`;
 *   `ERR_LOG_GONE` when the log had another stream of this kind
 */
export async function ensureStream(
  clients: StreamClients,
  kind: string,
  options: StreamOptions,
): Promise<string> {
  const created = await findOrMakeStream(clients.manager, kind, options);
  // What `meta` lost, its own note is lost with.
  if (kind !== 'meta') await requireNoted(clients, options.prefix, kind, created);
  return created;
}

async function findOrMakeStream(
  manager: JetStreamManager,
  kind: string,
  options: StreamOptions,
): Promise<string> {
  const name = streamOf(options.prefix, kind);
  // A second turn when another process made the stream between our look and our making.
  for (let attempt = 0; ; attempt++) {
    // Asked first: another process may make the stream and note it between the two questions.
    const noted =
      kind === 'meta' ? undefined : await readCreatedNote(manager, options.prefix, kind);
    const found = await findStream(manager, name);
    if (found !== undefined) {
      if (found.config.description?.startsWith(MARK)) return found.created;
      throw foreignError(name, 'it was made by somebody else');
    }
    if (noted !== undefined) throw deletedError(name);
    if (!options.create) {
      throw userError('ERR_STREAM_MISSING', `The stream ${name} must exist, it does not.`, {
        name,
      });
    }
    try {
      return await addStream(manager, name, kind, options);
    } catch (error) {
      const code = apiErrorCodeOf(error);
      if (code === ApiErrorCode.subjectsOverlap) throw foreignError(name, messageOf(error));
      if (code === ApiErrorCode.nameInUse && attempt === 0) continue;
      // No answer is no refusal: whoever asked may ask again.
      if (code === undefined) throw error;
      throw new LapseError(
        'ERR_NATS_JETSTREAM',
        `The NATS server must make the stream ${name}, it refused: ${messageOf(error)}.`,
        { domain: 'external', cause: error, facts: { name, replicas: options.replicas } },
      );
    }
  }
}

async function findStream(manager: JetStreamManager, name: string) {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (apiErrorCodeOf(error) === ApiErrorCode.streamNotFound) return undefined;
    throw error;
  }
}

async function addStream(
  manager: JetStreamManager,
  name: string,
  kind: string,
  { prefix, replicas }: StreamOptions,
): Promise<string> {
  const { created } = await manager.streams.add({
    name,
    description: `${MARK} Its event log: ${kind}.`,
    subjects: [`${prefix}.${kind}.>`],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    num_replicas: replicas,
    duplicate_window: DUPLICATE_WINDOW_NS,
    ...(kind === 'meta' ? { max_msgs_per_subject: 1, discard: DiscardPolicy.Old } : {}),
  });
  return created;
}

function foreignError(name: string, reason: string): LapseError {
  return userError(
    'ERR_STREAM_FOREIGN',
    `The stream ${name} must be Lapse's own, ${reason}: choose another nats.stream prefix.`,
    { name },
  );
}

/**
 * Writes what the log is, or compares with what stands there.
 * @throws LapseError `ERR_LOG_VERSION`, `ERR_PARTITION_COUNT`; `ERR_LOG_GONE` when there is a log
 *   that has lost its identity
 */
export async function ensureIdentity(
  { manager, client }: StreamClients,
  prefix: string,
  partitionCount: number,
): Promise<void> {
  const subject = identitySubject(prefix);
  const stream = streamOf(prefix, 'meta');
  const wanted: Identity = {
    formatVersion: JETSTREAM_FORMAT_VERSION,
    partitionCount,
    id: randomUUID(),
  };
  let stored = await readIdentity(manager, stream, subject);
  if (stored === undefined) {
    const { state } = await manager.streams.info(streamOf(prefix, 'in'));
    if (state.last_seq > 0) throw goneError(stream, 'it does not say what the log is');
    try {
      await client.publish(subject, JSON.stringify(wanted), {
        expect: { lastSubjectSequence: 0 },
      });
      return;
    } catch (error) {
      if (apiErrorCodeOf(error) !== ApiErrorCode.wrongLastSequence) throw error;
      stored = await readIdentity(manager, stream, subject);
    }
  }
  if (stored?.formatVersion !== JETSTREAM_FORMAT_VERSION) {
    throw userError(
      'ERR_LOG_VERSION',
      `The log '${prefix}' must be of format ${JETSTREAM_FORMAT_VERSION}, it is of format ` +
        `${stored?.formatVersion}: another version of Lapse wrote it.`,
    );
  }
  if (stored.partitionCount !== partitionCount) {
    throw userError(
      'ERR_PARTITION_COUNT',
      `The log '${prefix}' has ${stored.partitionCount} partitions for good, ` +
        `it cannot be opened with ${partitionCount}.`,
      { stored: stored.partitionCount, wanted: partitionCount },
    );
  }
}

async function readIdentity(
  manager: JetStreamManager,
  stream: string,
  subject: string,
): Promise<Identity | undefined> {
  const message = await manager.streams.getMessage(stream, { last_by_subj: subject });
  return message === null ? undefined : message.json<Identity>();
}
