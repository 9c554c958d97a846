import { normalizeEventName } from '../../engine/envelope/records.ts';
import type { CampaignEntry } from './campaign-entry.ts';
import type { Edge, Route } from './edge.ts';
import type { EventListener, OperatorInput } from './operator-contract.ts';
import { Predicates } from './predicates.ts';
import { RouteList } from './route-list.ts';
import type { RuleNode } from './rule-nodes.ts';

/** Whoever owns edges, so that they are taken out together. */
export type EdgeOwner = object;

interface Place {
  readonly list: RouteList;
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

const NO_EDGES: Route = [];

/**
 * Event name → edges, with shared predicates. A campaign that changes patches its own edges; an
 * event that no campaign names meets nothing at all.
 */
export class Routes {
  readonly #byName = new Map<string, RouteList>();
  /** Of inputs without a name. */
  readonly #any = new RouteList(undefined);
  readonly #places = new Map<EdgeOwner, Place[]>();
  readonly predicates = new Predicates();

  /** @param name as it came; undefined when nobody asks for it by name */
  of(name: string): Route | undefined {
    const list = this.#byName.get(normalizeEventName(name));
    if (list === undefined) return undefined;
    const edges = list.edges();
    if (edges.length > 0) return edges;
    this.#byName.delete(list.name!);
    return undefined;
  }

  /** With those who ask for any event. @param name as it came; undefined when nobody asks */
  withAny(name: string): Route | undefined {
    const own = this.of(name);
    const { any } = this;
    if (own === undefined) return any.length === 0 ? undefined : any;
    return any.length === 0 ? own : this.#byName.get(normalizeEventName(name))!.with(any);
  }

  get any(): Route {
    return this.#any.edges();
  }

  /** Event names with their edges, for the graph. */
  *entries(): Generator<[string, Route]> {
    for (const name of [...this.#byName.keys()]) yield [name, this.of(name) ?? NO_EDGES];
  }

  /** Edges looked at since the start to keep the lists in order, for tests of the cost. */
  get steps(): number {
    let steps = this.#any.steps;
    for (const list of this.#byName.values()) steps += list.steps;
    return steps;
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
        isGone: false,
      };
      const list = this.#listOf(event === undefined ? undefined : normalizeEventName(event));
      list.add(edge);
      places.push({ list, edge });
    }
  }

  remove(owner: EdgeOwner): void {
    for (const { list, edge } of this.#places.get(owner) ?? []) {
      list.remove(edge);
      if (edge.input.where !== undefined) this.predicates.give(edge.input.where);
    }
    this.#places.delete(owner);
  }

  has(owner: EdgeOwner): boolean {
    return this.#places.has(owner);
  }

  #listOf(name: string | undefined): RouteList {
    if (name === undefined) return this.#any;
    let list = this.#byName.get(name);
    if (list === undefined) {
      list = new RouteList(name);
      this.#byName.set(name, list);
    }
    return list;
  }
}
