import { expect, test } from 'vitest';
import { linesOf } from '../../../app/cli/commands/receive-lines.ts';
import type { Arrival } from '../../../app/demo/arrivals.ts';
import { arrivalLine, demoScreen } from '../../../app/demo/demo-screen.ts';
import { styles } from '../../../app/demo/live-view.ts';

/** Clears the screen, renames the window, moves the cursor, forges a line, turns the writing. */
const HOSTILE = [
  '\u001b[2J',
  '\u001b]0;owned\u0007',
  '\u009b5A',
  'a\r\nwebhooks 0 delivered',
  '\u0000\u007f',
  'a\u202eb',
  '\u2028',
];
/** What a terminal could obey; lines are taken apart before. */
const OBEYED = /[\p{Cc}\u2028\u2029\p{Bidi_Control}]/u;

test.each(HOSTILE)('receive: %j in an id, a user and a body is shown, not obeyed', (text) => {
  const body = JSON.stringify({ profiles: [{ Identity: text }] }) + text;
  const facts = { method: 'POST', url: '/', headers: { 'webhook-attempt': text }, body };
  const rest = {
    atMs: 0,
    webhookId: text,
    status: 200,
    signature: 'none',
    isRepeat: false,
  } as const;
  const content = { campaign: text, users: [text], profiles: 1 };
  const lines = linesOf({ ...facts, ...rest }, content);
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).not.toMatch(OBEYED);
});

test.each(HOSTILE)('demo: %j of a user, a product and an error is shown, not obeyed', (text) => {
  const arrival: Arrival = {
    ...{ atMs: 0, campaign: 'cart', user: text, what: text },
    ...{ latencyMs: 5, isAfterDeadline: false },
  };
  expect(arrivalLine(arrival)).not.toMatch(OBEYED);
  const figures = {
    ...{ version: '1', url: 'http://127.0.0.1:8080', data: 'd', upMs: 0, eventsPerSecond: 0 },
    overview: { events: 0, windowsOpen: 0, delivered: 0, failed: 0, pending: 0 },
    latencies: [],
    campaigns: new Map<string, string>(),
    arrived: new Map<string, number>(),
    ...{ arrivals: [arrival], troubles: [text] },
  };
  const plain = styles({ NO_COLOR: '1' });
  const screen = demoScreen(figures as unknown as Parameters<typeof demoScreen>[0], plain, 40);
  for (const line of screen) expect(line).not.toMatch(OBEYED);
});
