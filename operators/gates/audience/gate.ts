import type { Gate } from '../gate.ts';

/** Gate 2: the user is in the audience, by the profile at this position of the log. */
export const audienceGate: Gate = {
  name: 'audience',
  title: 'audience',
  askedAt: 'qualification',
  isUsed: ({ who }) => who !== undefined,
  asksControlGroup: true,
  ask: (scope) => (scope.entry.audience!(scope.profileContext()) ? undefined : 'audience'),
};
