/** The JetStream stream that captures events, so that none is lost while Lapse is down. */
import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from '@nats-io/jetstream';
import { externalError, messageOf, userError } from '../../../engine/errors/errors.ts';

export interface EventStreamOptions {
  /** @default LAPSE_EVENTS */
  readonly stream: string;
  /** The subject that events are published to. @default events.> */
  readonly events: string;
  /** Of a stream that we create. @default 1 */
  readonly replicas: number;
  /** How long events are kept for a Lapse that is down; of a stream that we create. @default 7 d */
  readonly retentionMs: number;
}

const STREAM_NOT_FOUND = 10059;
const SUBJECTS_OVERLAP = 10065;
const NANOS_PER_MS = 1_000_000;

/**
 * Creates the stream when it is missing; never alters one that is there.
 * @throws LapseError `ERR_NATS_STREAM` when the one that is there cannot serve
 */
export async function ensureEventStream(
  manager: JetStreamManager,
  options: EventStreamOptions,
): Promise<StreamInfo> {
  try {
    const info = await manager.streams.info(options.stream);
    requireSuitable(info, options);
    return info;
  } catch (error) {
    if (!isStreamMissing(error)) throw error;
  }
  return await create(manager, options);
}

async function create(
  manager: JetStreamManager,
  { stream, events, replicas, retentionMs }: EventStreamOptions,
): Promise<StreamInfo> {
  try {
    return await manager.streams.add({
      name: stream,
      description: 'Events on their way into Lapse.',
      subjects: [events],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      max_age: retentionMs * NANOS_PER_MS,
      num_replicas: replicas,
    });
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === SUBJECTS_OVERLAP) {
      throw userError(
        'ERR_NATS_STREAM',
        `nats.stream must name the stream that captures '${events}': another one than ` +
          `'${stream}' already captures some of it.`,
        { stream, events },
      );
    }
    throw externalError(
      'ERR_NATS_STREAM',
      `The stream '${stream}' cannot be created: ${messageOf(error)}.`,
      { cause: error, facts: { stream, events } },
    );
  }
}

/** Whether the server says for certain that there is no such stream. */
export function isStreamMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND;
}

/** @throws LapseError `ERR_NATS_STREAM` */
export function requireSuitable(
  info: StreamInfo,
  { stream, events }: Pick<EventStreamOptions, 'stream' | 'events'>,
): void {
  const subjects = info.config.subjects ?? [];
  if (!subjects.some((subject) => covers(subject, events))) {
    throw userError(
      'ERR_NATS_STREAM',
      `The stream '${stream}' must capture '${events}', it captures '${subjects.join("', '")}'. ` +
        'Lapse does not alter streams: name another one in nats.stream or add the subject.',
      { stream, events, subjects },
    );
  }
  if (info.config.retention !== RetentionPolicy.Limits) {
    throw userError(
      'ERR_NATS_STREAM',
      `The stream '${stream}' must have the retention 'limits', it has ` +
        `'${info.config.retention}': events read again after a crash must still be there.`,
      { stream, retention: info.config.retention },
    );
  }
}

/** True when every subject that `narrow` matches is matched by `wide` as well. */
export function covers(wide: string, narrow: string): boolean {
  const [wideTokens, narrowTokens] = [wide.split('.'), narrow.split('.')];
  for (let i = 0; i < wideTokens.length; i++) {
    const token = wideTokens[i]!;
    const other = narrowTokens[i];
    if (token === '>') return other !== undefined;
    if (other === undefined || other === '>') return false;
    if (token !== '*' && token !== other) return false;
  }
  return wideTokens.length === narrowTokens.length;
}
