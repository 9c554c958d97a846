import { describe, expect, test } from 'vitest';
import { describeGraph } from '../../../operators/graph/describe.ts';
import { graphMermaid, graphText } from '../../../operators/graph/print.ts';
import { CampaignBook } from '../../../operators/router/campaign-book.ts';
import { campaignOf, definitionsOf, inactionOf } from '../../support/partition-harness.ts';

const big = { property: 'price', op: 'gte', value: 20 } as const;

function graphOf(...campaigns: Parameters<typeof definitionsOf>[0]) {
  const book = new CampaignBook();
  book.apply(definitionsOf(campaigns), 0);
  return describeGraph(book);
}

describe('graph', () => {
  test('equal filters of two campaigns are one node', () => {
    const on = { event: 'Added', where: big };
    const graph = graphOf(
      campaignOf('a', { kind: 'action', on }),
      campaignOf('b', { kind: 'action', on }),
    );
    const filters = graph.nodes.filter(({ kind }) => kind === 'filter');
    expect(filters.map(({ label }) => label)).toEqual(['price ≥ 20']);
    const [filter] = filters;
    const targets = graph.edges.filter(({ from }) => from === filter!.id).map(({ to }) => to);
    expect(targets).toEqual(['rule:a', 'rule:b']);
  });

  test('every edge joins two nodes that are there, and every rule leads to its webhook', () => {
    const graph = graphOf(campaignOf('a', inactionOf()), {
      ...campaignOf('b', { kind: 'action', on: { event: 'x' } }),
      delayMs: 1_000,
    });
    const ids = new Set(graph.nodes.map(({ id }) => id));
    const loose = graph.edges.filter(({ from, to }) => !ids.has(from) || !ids.has(to));
    expect(loose).toEqual([]);
    const gates = graph.nodes.filter(({ campaign, kind }) => campaign === 'b' && kind === 'gate');
    expect(gates.map(({ label }) => label)).toEqual(['running', 'delay', 'still running']);
    expect(graph.edges.filter(({ to }) => to === 'lane:hook')).toHaveLength(2);
  });

  test('text and Mermaid name every node once, whatever the names hold', () => {
    const nasty = 'say "hi"\nthere';
    const graph = graphOf(campaignOf('a', { kind: 'action', on: { event: nasty } }));
    expect(graphMermaid(graph)).toContain('n0(["say #quot;hi#quot; there"])');
    expect(graphText(graph)).toContain('action a (action)');
  });

  test('a graph without a running campaign says so', () => {
    const graph = graphOf({ ...campaignOf('a', inactionOf()), state: 'draft' });
    expect(graphText(graph)).toBe('No campaign is running: the graph is empty.\n');
  });
});
