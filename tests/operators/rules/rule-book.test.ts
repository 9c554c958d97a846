import { describe, expect, test } from 'vitest';
import { RuleBook } from '../../../operators/rules/rule-book.ts';
import { campaignOf, definitionsOf, inactionOf } from '../../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const where = { property: 'plan', op: 'eq', value: 'pro' } as const;

describe('rule book', () => {
  test('equal filters are one predicate, different ones are not', () => {
    const book = new RuleBook();
    const rules = [
      { event: 'did', where },
      { event: 'DID', where: { all: [where] } },
    ];
    const others = [{ event: 'did', where: { not: where } }, { event: 'did' }];
    const campaigns = [...rules, ...others].map((on, i) =>
      campaignOf(`c${i}`, { kind: 'action', on }),
    );
    book.apply(definitionsOf(campaigns), START_MS);
    const predicates = book.routeOf(' d i d ')!.actions.map(({ predicate }) => predicate);
    expect(predicates[0]).toBe(predicates[1]);
    expect(predicates[2]).not.toBe(predicates[0]);
    expect(predicates[3]).toBeUndefined();
  });

  test('edges stand in order of campaign, whatever the order of the definitions', () => {
    const book = new RuleBook();
    const campaigns = ['z', 'a', 'm'].map((id) =>
      campaignOf(id, { kind: 'action', on: { event: 'did' } }),
    );
    book.apply(definitionsOf(campaigns), START_MS);
    const order = () => book.routeOf('did')!.actions.map(({ node }) => node.campaignId);
    expect(order()).toEqual(['a', 'm', 'z']);
    const restored = new RuleBook();
    restored.restore(JSON.parse(JSON.stringify(book.freeze())));
    expect(restored.routeOf('did')!.actions.map(({ node }) => node.campaignId)).toEqual(order());
  });

  test('a number is used again only once no window and no recent cancel holds it', () => {
    const remembered = new Set<number>();
    const book = new RuleBook(() => remembered);
    const version = (withinMs: number) =>
      definitionsOf([campaignOf('c', inactionOf({ withinMs }))]);
    const current = () => book.routeOf('did')!.opens[0]!.node;
    book.apply(version(1_000), START_MS);
    const first = current();
    first.openWindows = 1;
    book.apply(version(2_000), START_MS);
    expect(current().number).toBe(1);
    expect(book.closed(first, 1)).toBe(true);
    remembered.add(first.number);
    book.apply(version(3_000), START_MS);
    expect(current().number).toBe(2);
    remembered.clear();
    book.apply(version(4_000), START_MS);
    expect(current().number).toBe(first.number);
  });

  test('a retired rule without windows asks for no event any more', () => {
    const book = new RuleBook();
    book.apply(definitionsOf([campaignOf('c', inactionOf())]), START_MS);
    const { node } = book.routeOf('did')!.opens[0]!;
    node.openWindows = 2;
    book.apply(
      definitionsOf([campaignOf('c', inactionOf({ without: [{ event: 'x' }] }))]),
      START_MS,
    );
    expect(book.routeOf('without')!.cancels).toHaveLength(1);
    expect(book.closed(node, 1)).toBe(false);
    expect(book.closed(node, 1)).toBe(true);
    expect(book.routeOf('without')).toBeUndefined();
  });

  test('asks for what is not there with a sentence', () => {
    expect(() => new RuleBook().nodeOf(7)).toThrowError('No rule 7 is known.');
  });
});
