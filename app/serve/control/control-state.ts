import { type LifeAction, lifeAfter, lifeWhenPut } from '../../../operators/campaign-life.ts';
import {
  type Campaign,
  DEFAULT_SETTINGS,
  type Definitions,
  type Segment,
  type Settings,
  type Webhook,
} from '../../../operators/definitions.ts';
import type { PartitionCampaign } from '../../../operators/partition-definitions.ts';
import type { Life } from '../../../operators/router/campaign-entry.ts';

/**
 * One change, as the control topic holds it: definitions that are new or different, then what is
 * done to campaigns. Without what only requests need, which stays out of the log (`RequestFile`).
 */
export interface ControlChange {
  readonly settings?: Settings;
  readonly segments?: readonly Segment[];
  readonly campaigns?: readonly PartitionCampaign[];
  /** Ids of webhooks that are new. */
  readonly webhooks?: readonly string[];
  readonly lives?: readonly (readonly [campaign: string, action: LifeAction])[];
}

/** What only requests need, by id. */
export interface RequestParts {
  readonly webhooks: readonly Webhook[];
  readonly contents: Readonly<Record<string, Campaign['content']>>;
}

/** Ids. */
export interface Missing {
  readonly webhooks: readonly string[];
  readonly campaigns: readonly string[];
}

/** The definitions and lives that a prefix of the control topic says. */
export class ControlState {
  readonly lives = new Map<string, Life>();
  readonly #campaigns = new Map<string, PartitionCampaign>();
  readonly #segments = new Map<string, Segment>();
  readonly #webhooks = new Set<string>();
  #settings: Settings = DEFAULT_SETTINGS;

  take({ settings, segments, campaigns, webhooks, lives }: ControlChange): void {
    this.#settings = settings ?? this.#settings;
    for (const segment of segments ?? []) this.#segments.set(segment.id, segment);
    for (const id of webhooks ?? []) this.#webhooks.add(id);
    for (const campaign of campaigns ?? []) {
      this.#campaigns.set(campaign.id, campaign);
      this.lives.set(campaign.id, lifeWhenPut(campaign, this.lives.get(campaign.id)));
    }
    for (const [campaign, action] of lives ?? []) {
      const next = lifeAfter(this.lives.get(campaign) ?? 'draft', action);
      if (next !== undefined) this.lives.set(campaign, next);
    }
  }

  /** All of it as one change, which makes an empty state this one; lives apart. */
  whole(): ControlChange {
    return {
      settings: this.#settings,
      segments: [...this.#segments.values()],
      campaigns: [...this.#campaigns.values()],
      webhooks: [...this.#webhooks],
    };
  }

  hasWebhook(id: string): boolean {
    return this.#webhooks.has(id);
  }

  /** What is defined, and lacks what its requests need. */
  missingIn({ webhooks, contents }: RequestParts): Missing {
    const known = new Set(webhooks.map(({ id }) => id));
    return {
      webhooks: [...this.#webhooks].filter((id) => !known.has(id)),
      campaigns: [...this.#campaigns.keys()].filter((id) => !Object.hasOwn(contents, id)),
    };
  }

  /** Together with what only requests need. A campaign whose part is missing has empty content. */
  definitions({ webhooks, contents }: RequestParts): Definitions {
    return {
      settings: this.#settings,
      webhooks: webhooks.filter(({ id }) => this.#webhooks.has(id)),
      segments: [...this.#segments.values()],
      campaigns: Array.from(this.#campaigns.values(), (campaign) => ({
        ...campaign,
        content: contents[campaign.id] ?? emptyContent(campaign),
      })),
    };
  }
}

/** Changes that make an empty state this one, with the lives. */
export function wholeChanges(state: ControlState): ControlChange[] {
  const whole = state.whole();
  const lives = (whole.campaigns ?? []).flatMap(({ id, state: initial }) =>
    actionsTo(initial, state.lives.get(id) ?? initial).map((action) => [id, action] as const),
  );
  return [whole, { lives }];
}

const ACTION_TO: Readonly<Partial<Record<Life, LifeAction>>> = {
  paused: 'pause',
  stopped: 'stop',
  completed: 'complete',
  archived: 'archive',
};

/** How a campaign came from its first state to another one, the short way. */
function actionsTo(initial: Campaign['state'], life: Life): LifeAction[] {
  if (life === 'draft') return [];
  const first: LifeAction[] = initial === 'draft' && life !== 'archived' ? ['publish'] : [];
  const last = ACTION_TO[life];
  return last === undefined ? first : [...first, last];
}

function emptyContent({ content }: PartitionCampaign): Campaign['content'] {
  return { ...content, keyValues: {}, query: {} } as Campaign['content'];
}

export function requestParts({
  webhooks,
  campaigns,
}: Pick<Definitions, 'webhooks' | 'campaigns'>): RequestParts {
  return {
    webhooks,
    contents: Object.fromEntries(campaigns.map(({ id, content }) => [id, content])),
  };
}
