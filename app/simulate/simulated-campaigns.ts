import { parseDefinitions } from '../../config/definitions/definitions.ts';
import { LapseError } from '../../engine/errors/errors.ts';
import {
  actionsFrom,
  type LifeAction,
  lifeAfter,
  lifeWhenPut,
  withoutPublishedDrafts,
} from '../../operators/campaign-life.ts';
import type { Control } from '../../operators/campaign-pipeline.ts';
import type { Definitions } from '../../operators/definitions.ts';
import { partitionDelta } from '../../operators/definitions-delta.ts';
import type { Life } from '../../operators/router/campaign-entry.ts';

/** A control line that changes nothing. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** What the partitions are told; undefined: nothing that concerns them. */
export interface Accepted {
  readonly control: Control | undefined;
}

const ACTIONS: readonly string[] = ['publish', 'pause', 'resume', 'stop'];

/** The definitions of a simulation and the lives of its campaigns, as control lines change them. */
export class SimulatedCampaigns {
  readonly lives = new Map<string, Life>();
  #definitions: Definitions;
  #isPublished = false;

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  get definitions(): Definitions {
    return this.#definitions;
  }

  /** The campaigns are published, but for drafts. */
  publish(): void {
    this.#isPublished = true;
    for (const one of this.#definitions.campaigns) this.#put(one, undefined);
  }

  act(control: string, campaign: string): Refusal | Accepted {
    const life = this.lives.get(campaign);
    if (!ACTIONS.includes(control)) {
      const message = `control must be apply, publish, pause, resume or stop, got ${JSON.stringify(control)}.`;
      return { code: 'ERR_CONTROL', message };
    }
    if (!this.#definitions.campaigns.some(({ id }) => id === campaign)) {
      const known = this.#definitions.campaigns.map(({ id }) => id).join(', ');
      const message = `campaign must be one of ${known}, got ${JSON.stringify(campaign)}.`;
      return { code: 'ERR_CAMPAIGN_UNKNOWN', message };
    }
    const next = life === undefined ? undefined : lifeAfter(life, control as LifeAction);
    if (next === undefined) return stateRefusal(control, campaign, life);
    return this.#move(campaign, control as LifeAction, next);
  }

  /** Its cap is used up. */
  complete(campaign: string): Accepted {
    const next = lifeAfter(this.lives.get(campaign) ?? 'draft', 'complete');
    return next === undefined ? { control: undefined } : this.#move(campaign, 'complete', next);
  }

  /** What has the same id is replaced, and nothing is removed. */
  apply(config: unknown): Refusal | Accepted {
    const before = this.#definitions;
    try {
      const given = parseDefinitions(config, { file: 'config', base: before });
      this.#definitions = withoutPublishedDrafts(given, this.lives);
    } catch (error) {
      if (!(error instanceof LapseError)) throw error;
      return { code: 'ERR_DEFINITIONS', message: error.message };
    }
    if (!this.#isPublished) return { control: undefined };
    for (const one of this.#definitions.campaigns) {
      if (!before.campaigns.includes(one)) this.#put(one, this.lives.get(one.id));
    }
    const delta = partitionDelta(before, this.#definitions);
    return { control: delta === undefined ? undefined : { type: 'delta', ...delta } };
  }

  #put(campaign: Definitions['campaigns'][number], before: Life | undefined): void {
    this.lives.set(campaign.id, lifeWhenPut(campaign, before));
  }

  #move(campaign: string, action: LifeAction, next: Life): Accepted {
    this.lives.set(campaign, next);
    if (action === 'publish') return { control: { type: 'publish', campaign } };
    return { control: { type: 'life', campaign, action } };
  }
}

function stateRefusal(control: string, campaign: string, life: Life | undefined): Refusal {
  const allowed = life === undefined ? [] : actionsFrom(life);
  const state = life === undefined ? 'not published yet' : life;
  const may =
    allowed.length === 0 ? 'nothing may be done to it' : `it allows ${allowed.join(', ')}`;
  const message = `The campaign ${campaign} is ${state}, so ${control} is refused: ${may}.`;
  return { code: 'ERR_CAMPAIGN_STATE', message };
}
