/** The life of a campaign (SPEC 6), the same in partitions, lanes and the control plane. */
import type { Campaign, Definitions } from './definitions.ts';
import type { Life } from './router/campaign-entry.ts';

/** What may be done to a campaign. */
export type LifeAction = 'publish' | 'pause' | 'resume' | 'stop' | 'archive' | 'complete';

/** By state, the actions that are allowed and the state after each. */
const TRANSITIONS: Readonly<Record<Life, Readonly<Partial<Record<LifeAction, Life>>>>> = {
  draft: { publish: 'running', archive: 'archived' },
  running: { pause: 'paused', stop: 'stopped', archive: 'archived', complete: 'completed' },
  paused: { resume: 'running', stop: 'stopped', archive: 'archived', complete: 'completed' },
  stopped: { archive: 'archived' },
  completed: { archive: 'archived' },
  archived: {},
};

/** @returns the state after the action; undefined when it is not allowed */
export function lifeAfter(life: Life, action: LifeAction): Life | undefined {
  return TRANSITIONS[life][action];
}

/** What a user may do to a campaign in this state; Lapse itself completes campaigns. */
export function actionsFrom(life: Life): readonly LifeAction[] {
  const actions = Object.keys(TRANSITIONS[life]) as LifeAction[];
  return actions.filter((action) => action !== 'complete');
}

/**
 * Definitions as they are taken: `state: draft` is how a campaign begins, and takes none back that
 * has been published.
 */
export function withoutPublishedDrafts(
  definitions: Definitions,
  lives: ReadonlyMap<string, Life>,
): Definitions {
  const campaigns = definitions.campaigns.map((campaign): Campaign => {
    const isPublished = (lives.get(campaign.id) ?? 'draft') !== 'draft';
    return isPublished && campaign.state === 'draft' ? { ...campaign, state: 'running' } : campaign;
  });
  return { ...definitions, campaigns };
}

/**
 * The state of a campaign whose definition is put, for the first time or again.
 * @param before undefined: it was not defined
 */
export function lifeWhenPut({ state }: Pick<Campaign, 'state'>, before: Life | undefined): Life {
  if (before === undefined || state === 'draft' || before === 'draft') return state;
  return before;
}
