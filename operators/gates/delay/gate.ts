import type { Gate } from '../gate.ts';

/** Gate 5: the message waits for a while after the qualification. */
export const delayGate: Gate = {
  name: 'delay',
  title: 'delay',
  askedAt: 'qualification',
  isUsed: ({ delayMs }) => delayMs > 0,
  asksControlGroup: true,
  ask: ({ campaign }, { qualifiedAtMs }) => qualifiedAtMs + campaign.delayMs,
};
