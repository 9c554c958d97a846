import type { Scope } from '../../router/scope.ts';
import type { Gate } from '../gate.ts';
import { quietUntil } from './quiet-until.ts';

function zoneOf(scope: Scope): string {
  const { timezone } = scope.campaign.quietHours!;
  if (timezone === 'account') return scope.timezone;
  return timezone === 'user' ? scope.userTimezone() : timezone;
}

/** Gate 6: quiet hours hold the message back to their end, or discard it (E43 to E46). */
export const quietHoursGate: Gate = {
  name: 'quiet-hours',
  title: 'quiet hours',
  askedAt: 'qualification',
  isUsed: ({ quietHours }) => quietHours !== undefined,
  asksControlGroup: true,
  ask: (scope) => {
    const { windows, then } = scope.campaign.quietHours!;
    const untilMs = quietUntil(scope.nowMs, windows, zoneOf(scope));
    if (untilMs === undefined) return undefined;
    return then === 'discard' ? 'quiet-hours' : untilMs;
  },
};
