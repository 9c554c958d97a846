import { normalizeEventName } from '../../engine/envelope/records.ts';
import { LapseError } from '../../engine/errors/errors.ts';
import { type Campaign, DEFAULT_SETTINGS, type EventMatch, type Rule } from '../definitions.ts';
import { compileFilter } from '../filters/compile.ts';
import { filterKey } from '../filters/filter-key.ts';
import {
  type PartitionCampaign,
  type PartitionDefinitions,
  partitionDefinitions,
} from '../partition-definitions.ts';
import { Predicate } from './predicate.ts';

/** One version of a campaign's rule. Open windows hold its number, so it outlives an edit. */
export interface RuleNode {
  readonly number: number;
  readonly campaignId: string;
  readonly rule: Rule;
  /** Events before this do not open or trigger (E16). Unix ms. */
  readonly publishedAtMs: number;
  /** A newer version has taken over: opens nothing more, but its windows run out. */
  isRetired: boolean;
  /** Its campaign was removed or made a draft: its windows send nothing, even if it comes back. */
  isDropped: boolean;
  openWindows: number;
}

/** Names a rule in every partition: its number is a partition's own. */
export interface RuleIdentity {
  readonly campaignId: string;
  readonly rule: Rule;
  readonly publishedAtMs: number;
  readonly isDropped: boolean;
}

/** An edge from an event name to a rule. */
export interface RuleEdge {
  readonly node: RuleNode;
  /** Absent: every event of that name. */
  readonly predicate: Predicate | undefined;
}

/** What an event of one name may do, each list in order of campaign and rule. */
export interface Route {
  readonly cancels: RuleEdge[];
  readonly opens: RuleEdge[];
  readonly actions: RuleEdge[];
}

interface FrozenRule {
  readonly number: number;
  readonly campaignId: string;
  readonly rule: Rule;
  readonly publishedAtMs: number;
  readonly isRetired: boolean;
  readonly isDropped: boolean;
  readonly openWindows: number;
}

export interface FrozenRuleBook {
  readonly definitions: PartitionDefinitions;
  readonly rules: readonly FrozenRule[];
}

const RULES_MAX = 65_535;
const NO_RULES: ReadonlySet<number> = new Set();
const NO_DEFINITIONS: PartitionDefinitions = {
  settings: DEFAULT_SETTINGS,
  segments: [],
  campaigns: [],
};

/**
 * The campaigns as they stand at a point of the log, compiled to one graph: event name → shared
 * predicates → rules. Equal filters are one predicate, evaluated once an event; an event that no
 * campaign names meets nothing at all.
 */
export class RuleBook {
  definitions: PartitionDefinitions = NO_DEFINITIONS;
  readonly #nodes: (RuleNode | undefined)[] = [];
  readonly #campaigns = new Map<string, PartitionCampaign>();
  #routes = new Map<string, Route>();
  readonly #rememberedRules: () => ReadonlySet<number>;

  /** @param rememberedRules numbers that the state holds, beside those of open windows */
  constructor(rememberedRules: () => ReadonlySet<number> = () => NO_RULES) {
    this.#rememberedRules = rememberedRules;
  }

  /** What events of a name (as it came) may do; undefined when no campaign asks. */
  routeOf(name: string): Route | undefined {
    return this.#routes.get(normalizeEventName(name));
  }

  nodeOf(number: number): RuleNode {
    const node = this.#nodes[number];
    if (node === undefined) throw new LapseError('ERR_RULE_UNKNOWN', `No rule ${number} is known.`);
    return node;
  }

  /** In order of campaign and number. */
  nodes(): RuleNode[] {
    return this.#nodes.filter((node) => node !== undefined).sort(compareNodes);
  }

  identityOf({ campaignId, rule, publishedAtMs, isDropped }: RuleNode): RuleIdentity {
    return { campaignId, rule, publishedAtMs, isDropped };
  }

  /**
   * The rule that another partition means. One that is forgotten here, because no window of it was
   * open any more, comes back as retired, for the windows that arrive.
   */
  nodeOfIdentity(identity: RuleIdentity): RuleNode {
    const text = JSON.stringify(identity.rule);
    const known = this.#nodes.find(
      (node) =>
        node?.campaignId === identity.campaignId &&
        node.publishedAtMs === identity.publishedAtMs &&
        JSON.stringify(node.rule) === text,
    );
    if (known !== undefined) return known;
    const { campaignId, rule, publishedAtMs, isDropped } = identity;
    const node = this.#addNode({ id: campaignId, rule }, publishedAtMs);
    node.isRetired = true;
    node.isDropped = isDropped;
    return node;
  }

  /** A window has come to a retired rule: what closes it must be asked for again. */
  opened(node: RuleNode): void {
    if (node.isRetired && node.openWindows === 1) this.#compile();
  }

  /** The campaign as it is defined now, undefined when it was removed. */
  campaignOf(id: string): PartitionCampaign | undefined {
    return this.#campaigns.get(id);
  }

  get openWindows(): number {
    return this.#nodes.reduce((sum, node) => sum + (node?.openWindows ?? 0), 0);
  }

  /**
   * Takes new definitions. A campaign whose rule is unchanged goes on as it was; a changed one
   * is published anew and its open windows run out by the version that opened them.
   * @param atMs partition time of the change
   */
  apply(definitions: PartitionDefinitions, atMs: number): void {
    this.definitions = partitionDefinitions(definitions);
    this.#campaigns.clear();
    for (const campaign of this.definitions.campaigns) this.#campaigns.set(campaign.id, campaign);
    const current = new Set<RuleNode>();
    for (const campaign of this.definitions.campaigns) {
      if (campaign.state !== 'running') continue;
      current.add(this.#currentNode(campaign) ?? this.#addNode(campaign, atMs));
    }
    for (const node of this.#nodes) {
      if (node === undefined || current.has(node)) continue;
      node.isRetired = true;
      if (this.#campaigns.get(node.campaignId)?.state !== 'running') node.isDropped = true;
    }
    this.#compile();
  }

  /** Starts a draft. @returns false when there is no such campaign */
  publish(campaignId: string, atMs: number): boolean {
    if (!this.#campaigns.has(campaignId)) return false;
    const campaigns = this.definitions.campaigns.map((campaign) =>
      campaign.id === campaignId ? { ...campaign, state: 'running' as const } : campaign,
    );
    this.apply({ ...this.definitions, campaigns }, atMs);
    return true;
  }

  /**
   * Windows of a rule were closed. A retired one without any asks for no event from now on, as
   * after a restore.
   * @returns true when routes have changed
   */
  closed(node: RuleNode, windows: number): boolean {
    node.openWindows -= windows;
    if (windows === 0 || !node.isRetired || node.openWindows > 0) return false;
    this.#compile();
    return true;
  }

  compare(a: number, b: number): number {
    return compareNodes(this.nodeOf(a), this.nodeOf(b));
  }

  freeze(): FrozenRuleBook {
    const rules = this.#nodes.filter((node) => node !== undefined).map((node) => ({ ...node }));
    return { definitions: this.definitions, rules };
  }

  restore(frozen: FrozenRuleBook): void {
    // Versions before this one kept the webhooks with all their secrets.
    this.definitions = partitionDefinitions(frozen.definitions);
    this.#nodes.length = 0;
    for (const rule of frozen.rules) this.#nodes[rule.number] = { ...rule };
    this.#campaigns.clear();
    for (const campaign of this.definitions.campaigns) {
      this.#campaigns.set(campaign.id, campaign);
    }
    this.#compile();
  }

  #currentNode(campaign: Pick<Campaign, 'id' | 'rule'>): RuleNode | undefined {
    const text = JSON.stringify(campaign.rule);
    return this.#nodes.find(
      (node) =>
        node !== undefined &&
        !node.isRetired &&
        node.campaignId === campaign.id &&
        JSON.stringify(node.rule) === text,
    );
  }

  #addNode(campaign: Pick<Campaign, 'id' | 'rule'>, atMs: number): RuleNode {
    const number = this.#freeNumber();
    if (number >= RULES_MAX) {
      throw new LapseError(
        'ERR_RULES_MAX',
        `At most ${RULES_MAX} versions of rules may be in use, with open windows included.`,
        { domain: 'user' },
      );
    }
    const node: RuleNode = {
      number,
      campaignId: campaign.id,
      rule: campaign.rule,
      publishedAtMs: atMs,
      isRetired: false,
      isDropped: false,
      openWindows: 0,
    };
    this.#nodes[number] = node;
    return node;
  }

  /**
   * A number is used again once nothing holds it: no window, and no cancel of the last seconds,
   * which may yet go along with its user to where such a window is open.
   */
  #freeNumber(): number {
    const isOver = (node: RuleNode | undefined) => node?.isRetired && node.openWindows === 0;
    if (!this.#nodes.some(isOver)) return this.#nodes.length;
    const remembered = this.#rememberedRules();
    const free = this.#nodes.findIndex((node, number) => isOver(node) && !remembered.has(number));
    return free === -1 ? this.#nodes.length : free;
  }

  #compile(): void {
    const routes = new Map<string, Route>();
    const predicates = new Map<string, Predicate>();
    const edge = (node: RuleNode, { where }: EventMatch): RuleEdge => {
      if (where === undefined) return { node, predicate: undefined };
      const key = filterKey(where);
      let predicate = predicates.get(key);
      if (predicate === undefined) {
        predicate = new Predicate(compileFilter(where));
        predicates.set(key, predicate);
      }
      return { node, predicate };
    };
    const routeFor = (match: EventMatch): Route => {
      const name = normalizeEventName(match.event);
      let route = routes.get(name);
      if (route === undefined) {
        route = { cancels: [], opens: [], actions: [] };
        routes.set(name, route);
      }
      return route;
    };
    const nodes = this.#nodes.filter((node) => node !== undefined).sort(compareNodes);
    for (const node of nodes) {
      if (node.isRetired && node.openWindows === 0) continue;
      if (node.isDropped) continue;
      const { rule } = node;
      if (rule.kind === 'inaction') {
        for (const without of rule.without) routeFor(without).cancels.push(edge(node, without));
        if (!node.isRetired) routeFor(rule.did).opens.push(edge(node, rule.did));
      } else if (rule.kind === 'action') {
        if (!node.isRetired) routeFor(rule.on).actions.push(edge(node, rule.on));
      }
    }
    this.#routes = routes;
  }
}

function compareNodes(a: RuleNode, b: RuleNode): number {
  if (a.campaignId !== b.campaignId) return a.campaignId < b.campaignId ? -1 : 1;
  return a.number - b.number;
}
