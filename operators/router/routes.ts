import { normalizeEventName } from '../../engine/envelope/records.ts';
import type { CampaignEntry } from './campaign-entry.ts';
import type { EventListener, OperatorInput } from './operator-contract.ts';
import type { Predicate } from './predicate.ts';
import { Predicates } from './predicates.ts';
import type { RuleNode } from './rule-nodes.ts';

/** An edge from an event name to an operator. */
export interface Edge {
  readonly listener: EventListener;
  readonly input: OperatorInput;
  /** Absent: every event of that name. */
  readonly predicate: Predicate | undefined;
  /** The version of a rule it leads to; absent for what a whole campaign listens to. */
  readonly node: RuleNode | undefined;
  readonly campaign: CampaignEntry | undefined;
  /** Order among the edges of one name: campaign, version, role. */
  readonly order: readonly [campaignId: string, version: number, role: number];
  /** Events that have come this way. */
  records: number;
}

/** What an event of one name may do, in order of campaign, version and role. */
export type Route = readonly Edge[];

/** Whoever owns edges, so that they are taken out together. */
export type EdgeOwner = object;

interface Place {
  readonly name: string | undefined;
  readonly edge: Edge;
}

export interface NewEdges {
  readonly listener: EventListener;
  readonly inputs: readonly OperatorInput[];
  readonly node?: RuleNode;
  readonly campaign?: CampaignEntry | undefined;
  readonly campaignId: string;
  /** Behind the campaign's rules. @default the number of the rule's version */
  readonly version?: number;
}

/**
 * Event name → edges, with shared predicates. A campaign that changes patches its own edges; an
 * event that no campaign names meets nothing at all.
 */
export class Routes {
  readonly #byName = new Map<string, Route>();
  /** Of inputs without a name. */
  #any: Route = [];
  readonly #places = new Map<EdgeOwner, Place[]>();
  readonly predicates = new Predicates();

  /** @param name as it came; undefined when nobody asks */
  of(name: string): Route | undefined {
    return this.#byName.get(normalizeEventName(name));
  }

  get any(): Route {
    return this.#any;
  }

  /** Event names with their edges, for the graph. */
  entries(): IterableIterator<[string, Route]> {
    return this.#byName.entries();
  }

  add(owner: EdgeOwner, { listener, inputs, node, campaign, campaignId, version }: NewEdges): void {
    const places = this.#places.get(owner) ?? [];
    this.#places.set(owner, places);
    for (const input of inputs) {
      const { event, where, role } = input;
      const edge: Edge = {
        listener,
        input,
        predicate: where === undefined ? undefined : this.predicates.take(where),
        node,
        campaign,
        order: [campaignId, version ?? node?.number ?? 0, role],
        records: 0,
      };
      const name = event === undefined ? undefined : normalizeEventName(event);
      this.#replace(name, inserted(this.#listOf(name), edge));
      places.push({ name, edge });
    }
  }

  remove(owner: EdgeOwner): void {
    for (const { name, edge } of this.#places.get(owner) ?? []) {
      this.#replace(
        name,
        this.#listOf(name).filter((one) => one !== edge),
      );
      if (edge.input.where !== undefined) this.predicates.give(edge.input.where);
    }
    this.#places.delete(owner);
  }

  has(owner: EdgeOwner): boolean {
    return this.#places.has(owner);
  }

  clear(): void {
    for (const owner of [...this.#places.keys()]) this.remove(owner);
  }

  #listOf(name: string | undefined): Route {
    return name === undefined ? this.#any : (this.#byName.get(name) ?? NO_EDGES);
  }

  /** Lists are never changed, since an event may be on its way along one. */
  #replace(name: string | undefined, edges: Route): void {
    if (name === undefined) this.#any = edges;
    else if (edges.length === 0) this.#byName.delete(name);
    else this.#byName.set(name, edges);
  }
}

const NO_EDGES: Route = [];

function inserted(list: Route, edge: Edge): Route {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareEdges(list[middle]!, edge) <= 0) low = middle + 1;
    else high = middle;
  }
  return [...list.slice(0, low), edge, ...list.slice(low)];
}

export function compareEdges({ order: a }: Edge, { order: b }: Edge): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] - b[1] || a[2] - b[2];
}
