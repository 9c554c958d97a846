import type { Gate } from '../gate.ts';

/** Gate 8: the audience once more where the campaign asks for it, and the campaign's end (E38). */
export const recheckGate: Gate = {
  name: 'recheck',
  title: 'recheck and end',
  askedAt: 'due',
  isUsed: ({ who, schedule }) => who?.recheck === true || schedule.endAtMs !== undefined,
  asksControlGroup: true,
  ask: (scope) => {
    const { who, schedule } = scope.campaign;
    if (who?.recheck === true && !scope.entry.audience!(scope.profileContext())) return 'audience';
    const { endAtMs } = schedule;
    return endAtMs !== undefined && scope.nowMs > endAtMs ? 'campaign-ended' : undefined;
  },
};
