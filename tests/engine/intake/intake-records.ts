import { EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import { type IncomingEvent, RecordFlag, RecordKind } from '../../../engine/envelope/records.ts';
import type { Log } from '../../../engine/log/log.ts';

export interface StoredRecord {
  readonly kind: number;
  readonly userId: string;
  readonly name: string;
  /** Both halves of the message id's hash. */
  readonly eventId: string;
  readonly receivedAtMs: number;
  readonly isAhead: boolean;
  readonly eventAtMs: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** Everything that stands in the input of a partition now, in order. */
export function recordsOf(log: Log, partition: number): StoredRecord[][] {
  const reader = log.read(`in.${partition}`, 0, () => undefined);
  const envelope = new EnvelopeReader();
  const envelopes: StoredRecord[][] = [];
  for (let stored = reader.poll(); stored !== undefined; stored = reader.poll()) {
    envelope.load(stored.bytes);
    const records: StoredRecord[] = [];
    for (let i = 0; i < envelope.count; i++) {
      const isEvent = envelope.kind[i]! < 16;
      records.push({
        kind: envelope.kind[i]!,
        userId: isEvent ? envelope.userIdOf(i) : '',
        name: isEvent ? envelope.names[envelope.name[i]!]! : '',
        eventId: `${envelope.eventIdHi[i]}:${envelope.eventIdLo[i]}`,
        receivedAtMs: envelope.receivedAtMs(i),
        isAhead: (envelope.flags[i]! & RecordFlag.ahead) !== 0,
        eventAtMs: envelope.eventAt[i]!,
        properties: isEvent ? envelope.propertiesOf(i) : {},
      });
    }
    envelopes.push(records);
  }
  reader.close();
  return envelopes;
}

export function anEvent(overrides: Partial<IncomingEvent> = {}): IncomingEvent {
  return {
    kind: RecordKind.track,
    userId: 'u1',
    isAnonymous: false,
    name: 'Charged',
    eventAtMs: 1_000,
    flags: 0,
    messageId: 'm1',
    properties: {},
    ...overrides,
  };
}
