import type { PartitionCampaign } from '../../partition-definitions.ts';
import type { Scope } from '../../router/scope.ts';
import type { Gate } from '../gate.ts';
import {
  keepSends,
  type Memory,
  markSent,
  mergedSends,
  release,
  SENDS_MAX,
  sendsOf,
} from '../send-log.ts';

function memoryOf({ repeat }: PartitionCampaign): Memory {
  // Two joined ids may have more than one may get, some of which are given back.
  return { sendsMax: SENDS_MAX, forMs: repeat.kind === 'every' ? repeat.everyMs : Infinity };
}

/** Gate 4: how often one user may get one campaign. What waits or is on its way counts (E28). */
export const repeatGate: Gate = {
  name: 'repeat-limit',
  title: 'repeat limit',
  part: 'repeat',
  askedAt: 'qualification',
  isUsed: ({ repeat }) => repeat.kind !== 'each',
  asksControlGroup: false,
  ask: (scope, { deliveryId }) => {
    const { repeat } = scope.campaign;
    const memory = memoryOf(scope.campaign);
    const { nowMs } = scope;
    const sends = sendsOf(scope.get('')).filter(
      ({ atMs, isSent }) => !isSent || nowMs - atMs < memory.forMs,
    );
    const sendsMax = repeat.kind === 'atMost' ? repeat.atMost : 1;
    if (sends.length >= sendsMax) return 'repeat-limit';
    keepSends(scope, [...sends, { deliveryId, atMs: nowMs, isSent: false }], memory);
    return undefined;
  },
  release: (scope, deliveryId) => release(scope, deliveryId, memoryOf(scope.campaign)),
  onSent: (scope, deliveryId, atMs) => markSent(scope, deliveryId, atMs, memoryOf(scope.campaign)),
  onTimer: (scope: Scope, _match, value) =>
    keepSends(scope, sendsOf(value), memoryOf(scope.campaign)),
  merge: (scope, mine, theirs) => mergedSends(scope, mine, theirs, memoryOf(scope.campaign)),
};
