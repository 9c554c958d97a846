import { Segments } from '../audience/audience.ts';
import { DEFAULT_SETTINGS } from '../definitions.ts';
import { campaignGates, campaignListeners } from '../gates/gates.ts';
import {
  type PartitionCampaign,
  type PartitionDefinitions,
  partitionCampaign,
  partitionDefinitions,
} from '../partition-definitions.ts';
import { AttributeNodes } from './attribute-nodes.ts';
import type { CampaignEntry, Life } from './campaign-entry.ts';
import { Routes } from './routes.ts';
import { compareNodes, type FrozenRule, type RuleNode, RuleNodes } from './rule-nodes.ts';
import { ruleText } from './rule-text.ts';

/** Some definitions that are new or have changed, and the ids of those that are gone. */
export interface DefinitionsDelta {
  readonly settings?: PartitionDefinitions['settings'];
  readonly segments?: PartitionDefinitions['segments'];
  readonly campaigns?: PartitionDefinitions['campaigns'];
  readonly removed?: readonly {
    readonly kind: 'campaign' | 'segment';
    readonly id: string;
  }[];
}

export interface FrozenCampaignBook {
  readonly definitions: PartitionDefinitions;
  readonly rules: readonly FrozenRule[];
  /** Campaigns in order of their index, with their life and how many candidates wait. */
  readonly campaigns: readonly (readonly [id: string, life: Life, waiting: number])[];
}

/**
 * The campaigns at a point of the log, compiled to one graph: event name → shared predicates →
 * rules, gates and goals. A change costs what the changed campaigns cost.
 */
export class CampaignBook {
  readonly nodes: RuleNodes;
  readonly routes = new Routes();
  /** By index; a campaign that was removed keeps its number. */
  readonly #entries: CampaignEntry[] = [];
  readonly #byId = new Map<string, CampaignEntry>();
  /** Campaigns that are defined now. */
  readonly #defined = new Map<string, PartitionCampaign>();
  readonly attributeNodes = new AttributeNodes();
  #settings = DEFAULT_SETTINGS;
  #segments: PartitionDefinitions['segments'] = [];
  #compiledSegments = new Segments([]);
  /** Counts changes, so that whoever keeps routes knows that they are old. */
  version = 0;

  /** @param isRemembered whether the state holds a number beside open windows and cells */
  constructor(isRemembered: (rule: number) => boolean = () => false) {
    this.nodes = new RuleNodes(isRemembered);
  }

  get settings(): PartitionDefinitions['settings'] {
    return this.#settings;
  }

  get definitions(): PartitionDefinitions {
    return {
      settings: this.#settings,
      segments: this.#segments,
      campaigns: [...this.#defined.values()],
    };
  }

  /** The campaign as it is defined now; undefined when it was removed. */
  entryOf(campaignId: string): CampaignEntry | undefined {
    return this.#defined.has(campaignId) ? this.#byId.get(campaignId) : undefined;
  }

  entryAt(index: number): CampaignEntry | undefined {
    return this.#entries[index];
  }

  /** The number of a campaign in keyed state, given when it is first asked for. */
  entryFor(campaignId: string, campaign?: PartitionCampaign): CampaignEntry {
    let entry = this.#byId.get(campaignId);
    if (entry === undefined) {
      entry = {
        id: campaignId,
        index: this.#entries.length,
        campaign: campaign as PartitionCampaign,
        life: 'draft',
        gates: [],
        audience: undefined,
        waiting: 0,
        asked: [],
        passed: 0,
      };
      this.#entries.push(entry);
      this.#byId.set(campaignId, entry);
    }
    if (campaign !== undefined) entry.campaign = campaign;
    return entry;
  }

  /** Whether a version of a rule may take new users in, events apart. */
  isOpen(node: RuleNode): boolean {
    return !node.isRetired && this.entryOf(node.campaignId)?.life === 'running';
  }

  /**
   * Takes whole definitions: those that are missing in it are removed.
   * @param atMs partition time of the change
   * @returns campaigns whose open windows and cells are to be dropped
   */
  apply(definitions: PartitionDefinitions, atMs: number): RuleNode[] {
    const ids = new Set(definitions.campaigns.map(({ id }) => id));
    const removed = [...this.#defined.keys()]
      .filter((id) => !ids.has(id))
      .map((id) => ({ kind: 'campaign' as const, id }));
    // Segments are replaced whole, as few depend on them.
    this.#segments = [];
    const { settings, segments, campaigns } = definitions;
    return this.applyDelta({ settings, segments, campaigns, removed }, atMs);
  }

  /** Takes what has changed. An unchanged rule goes on as it was; a changed one is a new version. */
  applyDelta(delta: DefinitionsDelta, atMs: number): RuleNode[] {
    this.version++;
    const gone = (kind: string) =>
      new Set((delta.removed ?? []).filter((one) => one.kind === kind).map(({ id }) => id));
    const isAudience = delta.segments !== undefined || gone('segment').size > 0;
    if (isAudience) {
      this.#segments = merged(this.#segments, delta.segments, gone('segment'));
      this.#compiledSegments = new Segments(this.#segments);
    }
    const isEverywhere = isAudience || delta.settings !== undefined;
    if (delta.settings !== undefined) this.#settings = delta.settings;
    const dropped: RuleNode[] = [];
    for (const id of gone('campaign')) dropped.push(...this.#remove(id));
    for (const campaign of delta.campaigns ?? []) {
      dropped.push(...this.#put(partitionCampaign(campaign), atMs));
    }
    if (isEverywhere) for (const id of this.#defined.keys()) this.#compile(this.#byId.get(id)!);
    return dropped;
  }

  /**
   * Moves a campaign on in its life.
   * @returns the versions whose open state is to be dropped
   */
  live(campaignId: string, life: Life, atMs: number): RuleNode[] {
    const entry = this.entryOf(campaignId);
    if (entry === undefined) return [];
    this.version++;
    const before = entry.life;
    entry.life = life;
    if (life === 'running' && before === 'draft') {
      this.#compile(entry);
      this.#publish(entry, atMs);
    } else if (life === 'draft' || life === 'stopped' || life === 'archived') {
      const dropped = this.#dropRules(campaignId);
      this.#compile(entry);
      return dropped;
    }
    return [];
  }

  /** Something of a version was closed. @returns true when routes have changed */
  closed(node: RuleNode, count: number): boolean {
    if (count === 0 || !this.nodes.countStates(node, -count)) return false;
    this.#reroute(node);
    return true;
  }

  /** Something of a version was opened: if it is retired, what goes on with it is asked for again. */
  opened(node: RuleNode): void {
    this.nodes.countStates(node, 1);
    if (node.isRetired && !node.isDropped && !this.routes.has(node)) this.#reroute(node);
  }

  compare(a: number, b: number): number {
    return compareNodes(this.nodes.nodeOf(a), this.nodes.nodeOf(b));
  }

  freeze(): FrozenCampaignBook {
    return {
      definitions: this.definitions,
      rules: this.nodes.freeze(),
      campaigns: this.#entries.map(({ id, life, waiting }) => [id, life, waiting] as const),
    };
  }

  restore({ definitions: frozen, rules, campaigns }: FrozenCampaignBook): void {
    // Versions before this one kept the webhooks with all their secrets.
    const definitions = partitionDefinitions(frozen);
    this.version++;
    this.#settings = definitions.settings;
    this.#segments = definitions.segments;
    this.#compiledSegments = new Segments(this.#segments);
    this.nodes.restore(rules);
    for (const campaign of definitions.campaigns) this.#defined.set(campaign.id, campaign);
    for (const [id, life, waiting] of campaigns) {
      const entry = this.entryFor(id, this.#defined.get(id));
      entry.life = life;
      entry.waiting = waiting;
    }
    for (const [id, campaign] of this.#defined) this.#compile(this.entryFor(id, campaign));
    for (const node of this.nodes.all()) {
      this.#reroute(node);
      if (!node.isRetired) this.attributeNodes.add(node);
    }
    this.attributeNodes.takeAdded();
  }

  #put(campaign: PartitionCampaign, atMs: number): RuleNode[] {
    const isKnown = this.#defined.has(campaign.id);
    this.#defined.set(campaign.id, campaign);
    const entry = this.entryFor(campaign.id, campaign);
    if (!isKnown) entry.life = 'draft';
    if (campaign.state === 'draft' && entry.life !== 'draft') {
      return this.live(campaign.id, 'draft', atMs);
    }
    if (campaign.state === 'running' && entry.life === 'draft') entry.life = 'running';
    this.#compile(entry);
    const isLive = entry.life === 'running' || entry.life === 'paused';
    return isLive ? this.#publish(entry, atMs) : [];
  }

  /** @returns the older versions whose open state is to be dropped */
  #publish({ campaign }: CampaignEntry, atMs: number): RuleNode[] {
    const current = this.nodes.currentOf(campaign.id);
    if (current !== undefined && ruleText(current.rule) === ruleText(campaign.rule)) return [];
    const isDropping = current !== undefined && campaign.onOpenWindows === 'drop';
    const dropped = isDropping ? this.#dropRules(campaign.id) : [];
    if (current !== undefined && !isDropping) {
      this.#retire(current);
      this.#reroute(current);
    }
    const startAtMs = Math.max(atMs, campaign.schedule.startAtMs ?? atMs);
    const node = this.nodes.add(campaign.id, campaign.rule, startAtMs);
    this.attributeNodes.add(node);
    this.#reroute(node);
    return dropped;
  }

  #remove(campaignId: string): RuleNode[] {
    const entry = this.#byId.get(campaignId);
    if (entry !== undefined) {
      this.routes.remove(entry);
      entry.life = 'stopped';
    }
    this.#defined.delete(campaignId);
    return this.#dropRules(campaignId);
  }

  #dropRules(campaignId: string): RuleNode[] {
    const nodes = [...this.nodes.ofCampaign(campaignId)];
    for (const node of nodes) {
      this.#retire(node);
      node.isDropped = true;
      this.#reroute(node);
    }
    return nodes.filter(({ openStates }) => openStates > 0);
  }

  /** What a campaign listens to beside its rule, its gates and its audience. */
  #compile(entry: CampaignEntry): void {
    const { campaign } = entry;
    entry.gates = campaignGates(campaign, this.#settings);
    entry.asked = entry.gates.map(() => 0);
    const { who } = campaign;
    entry.audience = who === undefined ? undefined : this.#compiledSegments.compile(who);
    this.routes.remove(entry);
    if (entry.life === 'draft' || entry.life === 'stopped' || entry.life === 'archived') return;
    for (const { listener, inputs } of campaignListeners(entry)) {
      this.routes.add(entry, {
        listener,
        inputs,
        campaign: entry,
        campaignId: campaign.id,
        version: Infinity,
      });
    }
  }

  #reroute(node: RuleNode): void {
    this.routes.remove(node);
    this.version++;
    if (node.isDropped || (node.isRetired && node.openStates === 0)) return;
    const inputs = node.kind.inputs(node.rule);
    this.routes.add(node, {
      listener: node.kind,
      inputs: node.isRetired ? inputs.filter(({ opensOnly }) => !opensOnly) : inputs,
      node,
      campaign: this.#byId.get(node.campaignId),
      campaignId: node.campaignId,
    });
  }

  #retire(node: RuleNode): void {
    this.nodes.retire(node);
    this.attributeNodes.remove(node);
  }
}

function merged<T extends { readonly id: string }>(
  old: readonly T[],
  put: readonly T[] | undefined,
  removed: ReadonlySet<string>,
): readonly T[] {
  if (put === undefined && removed.size === 0) return old;
  const byId = new Map(old.filter(({ id }) => !removed.has(id)).map((one) => [one.id, one]));
  for (const one of put ?? []) byId.set(one.id, one);
  return [...byId.values()];
}
