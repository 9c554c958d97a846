import type { Gate } from '../gate.ts';

/**
 * Gate 1: the campaign is running. While it is paused, what qualifies waits for it; what qualifies
 * after its end is refused. What is stopped or removed has no open windows any more.
 */
export const runningGate: Gate = {
  name: 'paused',
  title: 'running',
  askedAt: 'qualification',
  isUsed: () => true,
  asksControlGroup: true,
  ask: ({ entry, campaign, nowMs }) => {
    const { endAtMs } = campaign.schedule;
    if (endAtMs !== undefined && nowMs > endAtMs) return 'not-running';
    if (entry.life === 'paused') return Infinity;
    return entry.life === 'running' ? undefined : 'not-running';
  },
};
