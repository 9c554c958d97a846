import { describe, expect, test } from 'vitest';
import { CampaignBook } from '../../../operators/router/campaign-book.ts';
import { campaignOf, definitionsOf, inactionOf } from '../../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const where = { property: 'plan', op: 'eq', value: 'pro' } as const;

describe('campaign book', () => {
  test('equal filters are one predicate, different ones are not', () => {
    const book = new CampaignBook();
    const rules = [
      { event: 'did', where },
      { event: 'DID', where: { all: [where] } },
    ];
    const others = [{ event: 'did', where: { not: where } }, { event: 'did' }];
    const campaigns = [...rules, ...others].map((on, i) =>
      campaignOf(`c${i}`, { kind: 'action', on }),
    );
    book.apply(definitionsOf(campaigns), START_MS);
    const predicates = book.routes.of(' d i d ')!.map(({ predicate }) => predicate);
    expect(predicates[0]).toBe(predicates[1]);
    expect(predicates[2]).not.toBe(predicates[0]);
    expect(predicates[3]).toBeUndefined();
  });

  test('edges stand in order of campaign, whatever the order of the definitions', () => {
    const book = new CampaignBook();
    const campaigns = ['z', 'a', 'm'].map((id) =>
      campaignOf(id, { kind: 'action', on: { event: 'did' } }),
    );
    book.apply(definitionsOf(campaigns), START_MS);
    const order = () => book.routes.of('did')!.map(({ node }) => node!.campaignId);
    expect(order()).toEqual(['a', 'm', 'z']);
    const restored = new CampaignBook();
    restored.restore(JSON.parse(JSON.stringify(book.freeze())));
    expect(restored.routes.of('did')!.map(({ node }) => node!.campaignId)).toEqual(order());
  });

  test('a number is used again only once no window and no recent cancel holds it', () => {
    const remembered = new Set<number>();
    const book = new CampaignBook((rule) => remembered.has(rule));
    const version = (withinMs: number) =>
      definitionsOf([campaignOf('c', inactionOf({ withinMs }))]);
    const current = () => book.nodes.currentOf('c')!;
    book.apply(version(1_000), START_MS);
    const first = current();
    book.opened(first);
    book.apply(version(2_000), START_MS);
    expect(current().number).toBe(1);
    expect(book.closed(first, 1)).toBe(true);
    remembered.add(first.number);
    book.apply(version(3_000), START_MS);
    expect(current().number).not.toBe(first.number);
    remembered.clear();
    book.apply(version(4_000), START_MS);
    expect(current().number).toBe(first.number);
  });

  test('a retired rule without windows asks for no event any more', () => {
    const book = new CampaignBook();
    book.apply(definitionsOf([campaignOf('c', inactionOf())]), START_MS);
    const node = book.nodes.currentOf('c')!;
    book.opened(node);
    book.opened(node);
    book.apply(
      definitionsOf([campaignOf('c', inactionOf({ without: [{ event: 'x' }] }))]),
      START_MS,
    );
    const rulesOf = (name: string) =>
      book.routes.of(name)?.filter((edge) => edge.node !== undefined) ?? [];
    expect(rulesOf('without')).toHaveLength(1);
    expect(book.closed(node, 1)).toBe(false);
    expect(book.closed(node, 1)).toBe(true);
    expect(rulesOf('without')).toEqual([]);
  });

  test('asks for what is not there with a sentence', () => {
    expect(() => new CampaignBook().nodes.nodeOf(7)).toThrowError('No rule 7 is known.');
  });
});
