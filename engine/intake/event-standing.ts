/** What a door may ask the partitions about events that it hands over. */
import type { IncomingEvent } from '../envelope/records.ts';

/** What names an event and its user. */
export type EventQuery = Pick<
  IncomingEvent,
  'kind' | 'userId' | 'isAnonymous' | 'name' | 'messageId'
>;

/**
 * `known`: its message id was seen before, so it is ignored. `unasked`: no campaign asks about such
 * an event, so its id is not remembered either.
 */
export type EventStanding = 'new' | 'known' | 'unasked';

/**
 * Asks before the events are appended.
 * @returns the answers in the order of the queries
 */
export type AskPartitions = (queries: readonly EventQuery[]) => Promise<readonly EventStanding[]>;
