/**
 * What may keep Lapse from its promises, by a stable code. These codes stand in `/readyz`, in
 * `/metrics` and in the log, and alerts hang on them: a code never changes its meaning.
 */
interface CauseFacts {
  /** While it is open, events are not accepted, timers do not fire or deliveries do not leave. */
  readonly blocks: boolean;
  /** Said in the log when it is over. */
  readonly over: string;
  /** It follows from any of these: while one of them is open, it is not told beside it. */
  readonly followsFrom?: readonly string[];
  /** One that is over sooner than this is not told in the log. @default 0 */
  readonly quietMs?: number;
}

/** The log takes nothing, so whatever waits for it waits for this reason. */
const LOG_CAUSES = ['nats-away', 'log-full', 'log-unavailable', 'log-gone'] as const;
/** A backlog of a second or two is read after every start and every lost connection. */
const BACKLOG_QUIET_MS = 2_000;

export const CAUSES = {
  starting: { blocks: true, over: 'Lapse has started.', quietMs: Infinity },
  stopping: { blocks: true, over: 'Lapse has stopped.', quietMs: Infinity },
  'nats-away': { blocks: true, over: 'NATS is connected again.' },
  'log-full': { blocks: true, over: 'The log has room again.' },
  'log-unavailable': {
    blocks: true,
    over: 'The log takes records again.',
    followsFrom: ['nats-away', 'log-full', 'log-gone'],
  },
  'log-gone': { blocks: true, over: 'The log is complete again.' },
  'stream-gone': { blocks: true, over: 'The stream of events is there again.' },
  'stream-unreadable': {
    blocks: true,
    over: 'The stream of events is read again.',
    followsFrom: LOG_CAUSES,
  },
  'door-behind': {
    blocks: true,
    over: 'The door has read its backlog.',
    followsFrom: [...LOG_CAUSES, 'starting', 'stream-unreadable'],
    quietMs: BACKLOG_QUIET_MS,
  },
  'partition-stopped': { blocks: true, over: 'The partitions run again.' },
  'timers-late': {
    blocks: true,
    over: 'Timers fire again.',
    followsFrom: [...LOG_CAUSES, 'stream-unreadable', 'door-behind', 'partition-stopped'],
  },
  'sender-stuck': { blocks: true, over: 'Deliveries leave again.', followsFrom: LOG_CAUSES },
  /** One receiver's trouble, not ours: it delays nothing but its own messages. */
  'webhook-failing': { blocks: false, over: 'The webhook takes messages again.' },
  'checkpoints-failing': { blocks: false, over: 'Checkpoints are written again.' },
  'snapshots-failing': {
    blocks: false,
    over: "The lane's snapshots are stored again.",
    followsFrom: LOG_CAUSES,
  },
} as const satisfies Readonly<Record<string, CauseFacts>>;

export type Cause = keyof typeof CAUSES;

export const ALL_CAUSES = Object.keys(CAUSES) as Cause[];

export function factsOf(cause: Cause): CauseFacts {
  return CAUSES[cause];
}
