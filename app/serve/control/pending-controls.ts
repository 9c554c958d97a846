import type { LifeAction } from '../../../operators/campaign-life.ts';
import type { Control } from '../../../operators/campaign-pipeline.ts';
import { partsOf } from './control-log.ts';
import { type ControlChange, ControlState } from './control-state.ts';

/** Of one record of a partition's log: it stands behind an envelope that may be all but full. */
const CONTROL_BYTES_MAX = 256 * 1024;

/**
 * What the partitions are told of changes of which some of them may have heard already. The last
 * state of each definition and the last action on each campaign: said twice they change nothing,
 * while a sequence that is repeated would make versions that nobody wanted.
 */
export function controlsFor(
  changes: readonly ControlChange[],
  publishedAtMs: number,
): readonly Control[] {
  const state = new ControlState();
  const actions = new Map<string, LifeAction[]>();
  let hasSettings = false;
  for (const change of changes) {
    state.take(change);
    hasSettings ||= change.settings !== undefined;
    for (const [campaign, action] of change.lives ?? []) {
      const isPublished = action === 'publish' || actions.get(campaign)?.[0] === 'publish';
      const last: LifeAction[] = action === 'publish' ? [] : [action];
      actions.set(campaign, isPublished ? ['publish', ...last] : last);
    }
  }
  const { settings, segments = [], campaigns = [] } = state.whole();
  const isNothing = !hasSettings && segments.length + campaigns.length === 0;
  const delta = {
    ...(hasSettings && settings !== undefined ? { settings } : {}),
    ...(segments.length > 0 ? { segments } : {}),
    ...(campaigns.length > 0 ? { campaigns } : {}),
  };
  const deltas: Control[] = isNothing
    ? []
    : partsOf(delta, CONTROL_BYTES_MAX).map((part) => {
        const { webhooks: _, lives: __, ...definitions } = part;
        return { type: 'delta', ...definitions, publishedAtMs };
      });
  return [...deltas, ...[...actions].flatMap(([id, list]) => list.map((one) => actOn(id, one)))];
}

function actOn(campaign: string, action: LifeAction): Control {
  if (action === 'publish') return { type: 'publish', campaign };
  return { type: 'life', campaign, action };
}
