/**
 * What must come of an input: its records as the log holds them, with the receipt times that
 * `serve` gave them, through `simulate`.
 */
import { loadConfiguration } from '../../config/definitions/definitions.ts';
import { simulate } from '../../config/simulation/simulation.ts';
import type { EventLine } from '../../connectors/doors/file/event-lines.ts';
import { EnvelopeReader } from '../../engine/envelope-reader.ts';
import { RecordFlag, RecordKind } from '../../engine/records.ts';
import type { StoredTopics } from './stored-topics.ts';

export interface InputEvent {
  readonly kind: number;
  readonly user: string;
  readonly isAnonymous: boolean;
  readonly name: string;
  readonly eventAtMs: number;
  /** Partition time at the record, Unix ms. */
  readonly receivedAtMs: number;
  /** Of the feeds, which put their message id into the properties. */
  readonly properties: Readonly<Record<string, unknown>>;
}

export interface Input {
  /** In order of receipt. */
  readonly events: readonly InputEvent[];
  /** When the campaigns were first published, Unix ms. */
  readonly publishedAtMs: number;
}

/** A qualification and what is sent for it. */
export interface Expected {
  readonly deliveryId: string;
  readonly campaign: string;
  readonly user: string;
  /** The element of `profiles`, as JSON. */
  readonly profile: string;
  readonly atMs: number;
}

interface PublishControl {
  readonly publishedAtMs?: number;
}

/** Reads the input of all partitions. */
export function inputOf(stored: StoredTopics): Input {
  const events: InputEvent[] = [];
  let publishedAtMs = Infinity;
  const envelope = new EnvelopeReader();
  for (const topic of stored.topics.filter((name) => name.startsWith('in.'))) {
    let timeMs = 0;
    for (const bytes of stored.envelopesOf(topic)) {
      envelope.load(bytes);
      for (let i = 0; i < envelope.count; i++) {
        const kind = envelope.kind[i]!;
        const receivedAtMs = envelope.receivedAtMs(i);
        // A claim carries no time.
        if (kind !== RecordKind.claim) timeMs = Math.max(timeMs, receivedAtMs);
        if (kind === RecordKind.control) {
          const control = envelope.jsonOf(i) as PublishControl;
          publishedAtMs = Math.min(publishedAtMs, Math.max(timeMs, control.publishedAtMs ?? 0));
        }
        if (kind < RecordKind.tick) events.push(eventAt(envelope, i, timeMs));
      }
    }
  }
  events.sort((a, b) => a.receivedAtMs - b.receivedAtMs);
  return { events, publishedAtMs };
}

function eventAt(envelope: EnvelopeReader, i: number, receivedAtMs: number): InputEvent {
  return {
    kind: envelope.kind[i]!,
    user: envelope.userIdOf(i),
    isAnonymous: (envelope.flags[i]! & RecordFlag.anonymous) !== 0,
    name: envelope.names[envelope.name[i]!] ?? '',
    eventAtMs: envelope.eventAt[i]!,
    receivedAtMs,
    properties: envelope.propertiesOf(i),
  };
}

/** @param config path of the definitions that `serve` was given */
export async function expectedOf(input: Input, config: string): Promise<Map<string, Expected>> {
  const { definitions, runtime } = loadConfiguration([config], {});
  const expected = new Map<string, Expected>();
  const profiles = new Map<string, string>();
  // One delivery a request, so that a request's id is the delivery's.
  const webhooks = definitions.webhooks.map(({ rate: _rate, ...webhook }) => ({
    ...webhook,
    batch: { max: 1, lingerMs: 0 },
  }));
  const windows: { window: string; campaign: string; user: string; atMs: number }[] = [];
  await simulate({
    definitions: { ...definitions, webhooks },
    lines: linesOf(input.events),
    fromMs: input.publishedAtMs,
    userAgent: 'Lapse/test',
    reorderWindowMs: runtime['engine.reorderWindow'] ?? 5_000,
    write: (line) => {
      if (line.type === 'rejected') throw new Error(JSON.stringify(line));
      if (line.type === 'qualified') {
        const { window, campaign, user } = line as Record<string, string>;
        windows.push({
          window: window!,
          campaign: campaign!,
          user: user!,
          atMs: Date.parse(line.at as string),
        });
      }
      if (line.type !== 'attempt') return;
      const { headers, body } = line.request as { headers: Record<string, string>; body: string };
      const { profiles: elements } = JSON.parse(body) as { profiles: unknown[] };
      profiles.set(headers['webhook-id']!, JSON.stringify(elements[0]));
    },
  });
  const idOf = new Map(
    [...profiles.keys()].map((id) => [id.slice('msg_'.length).slice(0, 16), id]),
  );
  for (const { window, campaign, user, atMs } of windows) {
    const deliveryId = idOf.get(window)!;
    expected.set(deliveryId, {
      deliveryId,
      campaign,
      user,
      profile: profiles.get(deliveryId)!,
      atMs,
    });
  }
  return expected;
}

const encoder = new TextEncoder();

async function* linesOf(events: readonly InputEvent[]): AsyncGenerator<EventLine> {
  for (const [index, event] of events.entries()) {
    const { user, isAnonymous, properties, eventAtMs, receivedAtMs, name, kind } = event;
    const isIdentify = kind === RecordKind.identify;
    const line = {
      type: isIdentify ? 'identify' : 'track',
      ...(isAnonymous ? { anonymousId: user } : { userId: user }),
      ...(isIdentify ? { traits: properties } : { event: name, properties }),
      timestamp: new Date(eventAtMs).toISOString(),
      messageId: properties.id,
      receivedAt: new Date(receivedAtMs).toISOString(),
    };
    yield { lineNumber: index + 1, bytes: encoder.encode(JSON.stringify(line)) };
  }
}
