import type { GlobalLimit } from '../../definitions.ts';
import type { Scope } from '../../router/scope.ts';
import type { Gate } from '../gate.ts';
import {
  keepSends,
  type Memory,
  markSent,
  mergedSends,
  release,
  SENDS_MAX,
  type Send,
  sendsOf,
} from '../send-log.ts';

function lengthMsOf(limit: GlobalLimit): number {
  return limit.kind === 'gap' ? limit.gapMs : limit.perMs;
}

function memoryOf({ book }: Scope): Memory {
  const lengths = book.settings.globalLimits.map(lengthMsOf);
  return { sendsMax: SENDS_MAX, forMs: Math.max(0, ...lengths) };
}

function allows(limit: GlobalLimit, sends: readonly Send[], nowMs: number): boolean {
  const lengthMs = lengthMsOf(limit);
  const recent = sends.filter(({ atMs, isSent }) => !isSent || nowMs - atMs < lengthMs).length;
  return recent < (limit.kind === 'gap' ? 1 : limit.atMost);
}

/**
 * Gate 9: at most so many messages of all campaigns together to one user, and a least gap. A
 * campaign that opts out is let pass, and its messages count all the same (E37).
 */
export const globalLimitGate: Gate = {
  name: 'global-limit',
  title: 'global limits',
  part: 'every-campaign',
  askedAt: 'due',
  isUsed: (_campaign, { globalLimits }) => globalLimits.length > 0,
  asksControlGroup: false,
  ask: (scope, { deliveryId }) => {
    const { nowMs } = scope;
    const sends = sendsOf(scope.get(''));
    const isHeld =
      scope.campaign.globalLimits &&
      !scope.book.settings.globalLimits.every((limit) => allows(limit, sends, nowMs));
    if (isHeld) return 'global-limit';
    const reserved = { deliveryId, atMs: nowMs, isSent: false };
    keepSends(scope, [...sends, reserved], memoryOf(scope));
    return undefined;
  },
  release: (scope, deliveryId) => release(scope, deliveryId, memoryOf(scope)),
  onSent: (scope, deliveryId, atMs) => markSent(scope, deliveryId, atMs, memoryOf(scope)),
  onTimer: (scope, _match, value) => keepSends(scope, sendsOf(value), memoryOf(scope)),
  merge: (scope, mine, theirs) => mergedSends(scope, mine, theirs, memoryOf(scope)),
};
