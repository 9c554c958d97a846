/**
 * What must come of an input: its records as the log holds them, with the receipt times that
 * `serve` gave them, through `simulate`.
 */

import { simulate } from '../../app/simulate/simulation.ts';
import { loadConfiguration } from '../../config/definitions/definitions.ts';
import type { EventLine } from '../../connectors/doors/file/event-lines.ts';
import { RecordKind } from '../../engine/envelope/records.ts';
import type { Input, InputEvent, InputLeave } from './input.ts';

/** A qualification and what is sent for it. */
export interface Expected {
  readonly deliveryId: string;
  readonly campaign: string;
  readonly user: string;
  /** The element of `profiles`, as JSON. */
  readonly profile: string;
  readonly atMs: number;
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
    lines: linesOf(input),
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

async function* linesOf({ records }: Input): AsyncGenerator<EventLine> {
  for (const [index, record] of records.entries()) {
    const line = 'leave' in record ? aliasOf(record) : lineOf(record);
    const receivedAt = new Date(record.receivedAtMs).toISOString();
    yield {
      lineNumber: index + 1,
      bytes: encoder.encode(JSON.stringify({ ...line, receivedAt })),
    };
  }
}

function lineOf({ user, isAnonymous, properties, eventAtMs, name, kind }: InputEvent) {
  const isIdentify = kind === RecordKind.identify;
  return {
    type: isIdentify ? 'identify' : 'track',
    ...(isAnonymous ? { anonymousId: user } : { userId: user }),
    ...(isIdentify ? { traits: properties } : { event: name, properties }),
    timestamp: new Date(eventAtMs).toISOString(),
    messageId: properties.id,
  };
}

/** What joined the ids, whatever it was, did no more than this. */
function aliasOf({ leave: { from, to } }: InputLeave) {
  return {
    type: 'alias',
    userId: to.id,
    ...(from.isAnonymous ? { anonymousId: from.id } : { previousId: from.id }),
  };
}
