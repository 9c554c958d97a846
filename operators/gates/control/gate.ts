import { fnv1a32OfText, mix32 } from '../../../engine/state/hash.ts';
import type { Gate } from '../gate.ts';

/** Shares are compared in hundredths of a percent. */
const SHARES = 10_000;

/**
 * Whether a user falls into a share of all users. By hash of salt and user id, so it is the same in
 * every replay, and a larger share only adds users (E30, E31).
 * @param percent 0 to 100
 */
export function isInShare(salt: string, userId: string, percent: number): boolean {
  if (percent <= 0) return false;
  return mix32(fnv1a32OfText(`${salt}\n${userId}`)) % SHARES < percent * (SHARES / 100);
}

/**
 * Gate 3: control groups. The system's and custom ones hold for all campaigns with one salt each,
 * a campaign's own has the campaign's id as salt.
 */
export const controlGate: Gate = {
  name: 'control-group',
  title: 'control groups',
  askedAt: 'qualification',
  isUsed: ({ control }, { controlGroups }) =>
    controlGroups.system > 0 || control.percent > 0 || control.custom.length > 0,
  asksControlGroup: false,
  ask: (scope) => {
    const { userId, campaign } = scope;
    const { controlGroups } = scope.book.settings;
    const isControl =
      isInShare('system', userId, controlGroups.system) ||
      campaign.control.custom.some((name: string) =>
        isInShare(`custom:${name}`, userId, controlGroups.custom[name] ?? 0),
      ) ||
      isInShare(`campaign:${campaign.id}`, userId, campaign.control.percent);
    return isControl ? 'control-group' : undefined;
  },
};
