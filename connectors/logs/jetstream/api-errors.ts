/** JetStream's numbers for what went wrong, as far as the log tells them apart. */
import { JetStreamApiError } from '@nats-io/jetstream';

export const ApiErrorCode = {
  insufficientResources: 10023,
  storageExceeded: 10047,
  nameInUse: 10058,
  streamNotFound: 10059,
  subjectsOverlap: 10065,
  wrongLastSequence: 10071,
  streamStoreFailed: 10077,
  wrongLastSequenceUnknown: 10164,
} as const;

/** Undefined for anything that is not an answer of the server. */
export function apiErrorCodeOf(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined;
}

/** The server has no room, by a limit or because its disk is full. */
export function isFull(code: number | undefined): boolean {
  return (
    code === ApiErrorCode.insufficientResources ||
    code === ApiErrorCode.storageExceeded ||
    code === ApiErrorCode.streamStoreFailed
  );
}
