import type { GraphDescription, GraphEdge, GraphNode } from './describe.ts';

/** Records per second on each edge, where a running process was asked; else nothing. */
export type EdgeRate = (edge: GraphEdge) => number | undefined;

const NO_RATES: EdgeRate = () => undefined;

/** The graph as an indented text: each event with what it leads to. */
export function graphText(graph: GraphDescription, rate: EdgeRate = NO_RATES): string {
  const { nodes, edges } = graph;
  if (nodes.length === 0) return 'No campaign is running: the graph is empty.\n';
  const labels = new Map(nodes.map((node) => [node.id, node]));
  const outOf = new Map<string, GraphEdge[]>();
  for (const edge of edges) outOf.set(edge.from, [...(outOf.get(edge.from) ?? []), edge]);
  const lines: string[] = [];
  const seen = new Set<string>();
  const visit = (id: string, depth: number, edge: GraphEdge | undefined): void => {
    const role = edge?.label === undefined ? '' : ` (${edge.label})`;
    const perSecond = edge === undefined ? undefined : rate(edge);
    const speed = perSecond === undefined ? '' : `  ${perSecond.toFixed(1)} records/s`;
    const again = seen.has(id) && outOf.has(id) ? ' …' : '';
    const arrow = depth === 0 ? '' : '→ ';
    lines.push(`${'  '.repeat(depth)}${arrow}${titleOf(labels.get(id)!)}${role}${again}${speed}`);
    if (seen.has(id)) return;
    seen.add(id);
    for (const next of outOf.get(id) ?? []) visit(next.to, depth + 1, next);
  };
  for (const node of nodes) if (node.kind === 'event') visit(node.id, 0, undefined);
  return `${lines.join('\n')}\n`;
}

function titleOf({ kind, label }: GraphNode): string {
  if (kind === 'filter') return `where ${label}`;
  if (kind === 'gate') return `gate: ${label}`;
  return kind === 'lane' ? `webhook ${label}` : label;
}

/** The graph as a Mermaid flowchart. */
export function graphMermaid(graph: GraphDescription, rate: EdgeRate = NO_RATES): string {
  const numbers = new Map(graph.nodes.map(({ id }, i) => [id, `n${i}`]));
  const nodes = graph.nodes.map((node) => {
    const [open, close] = SHAPES[node.kind];
    return `  ${numbers.get(node.id)}${open}"${escaped(titleOf(node))}"${close}`;
  });
  const edges = graph.edges.map((edge) => {
    const perSecond = rate(edge);
    const parts = [edge.label, perSecond === undefined ? undefined : `${perSecond.toFixed(1)}/s`];
    const text = parts.filter((part) => part !== undefined).join(', ');
    const arrow = text === '' ? '-->' : `-- "${escaped(text)}" -->`;
    return `  ${numbers.get(edge.from)} ${arrow} ${numbers.get(edge.to)}`;
  });
  return ['flowchart LR', ...nodes, ...edges, ''].join('\n');
}

const SHAPES: Readonly<Record<GraphNode['kind'], readonly [string, string]>> = {
  event: ['([', '])'],
  filter: ['{', '}'],
  rule: ['[', ']'],
  gate: ['>', ']'],
  goal: ['((', '))'],
  lane: ['[[', ']]'],
};

function escaped(text: string): string {
  return text.replaceAll('"', '#quot;').replace(/[\r\n]+/g, ' ');
}
