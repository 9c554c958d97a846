import { filterKey } from '../filters/filter-key.ts';
import type { PlacedGate } from '../gates/gate.ts';
import type { CampaignBook } from '../router/campaign-book.ts';
import type { CampaignEntry } from '../router/campaign-entry.ts';
import type { Edge } from '../router/edge.ts';
import { filterText } from './filter-text.ts';

/** A node of the dataflow graph of a configuration. */
export interface GraphNode {
  /** Unique, the same for the same definitions. */
  readonly id: string;
  readonly kind: 'event' | 'filter' | 'rule' | 'gate' | 'goal' | 'lane';
  readonly label: string;
  /** Absent where several campaigns share the node. */
  readonly campaign?: string;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** What the records mean to the node that takes them. */
  readonly label?: string;
  /** Records that have passed since the process started. */
  readonly records: number;
}

export interface GraphDescription {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/**
 * The dataflow graph of the definitions in a book: event names, shared filters, rules, gates, goals
 * and the lanes of webhooks, with the records that have passed each edge.
 */
export function describeGraph(book: CampaignBook): GraphDescription {
  const drawing = new Drawing();
  const names = [...book.routes.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, route] of names) for (const edge of route) drawing.addEdge(name, edge);
  for (const edge of book.routes.any) drawing.addEdge(undefined, edge);
  for (const { id } of book.definitions.campaigns) {
    const entry = book.entryOf(id);
    if (entry !== undefined && entry.life !== 'draft') drawing.addChain(entry);
  }
  return drawing.description();
}

const ANYTHING = 'any event';

class Drawing {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #edges = new Map<
    string,
    { from: string; to: string; label?: string; records: number }
  >();

  addEdge(name: string | undefined, edge: Edge): void {
    const event = `event:${name ?? '*'}`;
    this.#node({ id: event, kind: 'event', label: edge.input.event ?? ANYTHING });
    let from = event;
    const { where } = edge.input;
    if (where !== undefined) {
      const filter = `filter:${name ?? '*'}:${filterKey(where)}`;
      this.#node({ id: filter, kind: 'filter', label: filterText(where) });
      this.#edge(event, filter, undefined, 0);
      from = filter;
    }
    const [campaign] = edge.order;
    const to = this.#target(edge, campaign);
    this.#edge(from, to, roleText(edge), edge.records);
  }

  addChain(entry: CampaignEntry): void {
    const { id, campaign } = entry;
    let from = `rule:${id}`;
    this.#node({ id: from, kind: 'rule', label: `${campaign.rule.kind} ${id}`, campaign: id });
    entry.gates.forEach((gate, i) => {
      const to = `gate:${id}:${i}:${gate.name}`;
      this.#node({ id: to, kind: 'gate', label: gate.title, campaign: id });
      this.#edge(from, to, undefined, entry.asked[i] ?? 0);
      from = to;
    });
    const lane = `lane:${campaign.webhook}`;
    this.#node({ id: lane, kind: 'lane', label: campaign.webhook });
    this.#edge(from, lane, undefined, entry.passed);
  }

  description(): GraphDescription {
    return { nodes: [...this.#nodes.values()], edges: [...this.#edges.values()] };
  }

  #target({ node, listener, campaign: entry }: Edge, campaign: string): string {
    if (node !== undefined) {
      const id = node.isRetired ? `rule:${campaign}:${node.number}` : `rule:${campaign}`;
      const age = node.isRetired ? ' (older version)' : '';
      this.#node({ id, kind: 'rule', label: `${node.rule.kind} ${campaign}${age}`, campaign });
      return id;
    }
    const gate = entry?.gates.indexOf(listener as PlacedGate) ?? -1;
    if (gate !== -1) return `gate:${campaign}:${gate}:${entry!.gates[gate]!.name}`;
    const id = `goal:${campaign}`;
    this.#node({ id, kind: 'goal', label: `goal ${campaign}`, campaign });
    return id;
  }

  #node(node: GraphNode): void {
    if (!this.#nodes.has(node.id)) this.#nodes.set(node.id, node);
  }

  #edge(from: string, to: string, label: string | undefined, records: number): void {
    const key = JSON.stringify([from, to, label ?? '']);
    const known = this.#edges.get(key);
    if (known === undefined) {
      this.#edges.set(key, { from, to, ...(label === undefined ? {} : { label }), records });
    } else known.records += records;
  }
}

function roleText({ node, input, listener }: Edge): string | undefined {
  const { roleNames } = listener;
  if (roleNames !== undefined) return roleNames(input.role);
  return node === undefined ? undefined : node.rule.kind;
}

/** One graph of several partitions of the same definitions: records are added up. */
export function addedUp(graphs: readonly GraphDescription[]): GraphDescription {
  const nodes = new Map<string, GraphNode>();
  const edges = new Map<string, GraphEdge>();
  for (const graph of graphs) {
    for (const node of graph.nodes) nodes.set(node.id, node);
    for (const edge of graph.edges) {
      const key = JSON.stringify([edge.from, edge.to, edge.label ?? '']);
      const records = (edges.get(key)?.records ?? 0) + edge.records;
      edges.set(key, { ...edge, records });
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}
