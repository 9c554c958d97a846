import { describe, expect, test } from 'vitest';
import type { Campaign } from '../../../operators/definitions.ts';
import { CampaignBook } from '../../../operators/router/campaign-book.ts';
import { campaignOf, definitionsOf, inactionOf } from '../../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const [FEW, MANY] = [10, 4_000];
const without = [{ event: 'bought' }];

/** Campaigns that open on a name of their own and share their `without`. */
function campaigns(count: number): Campaign[] {
  return Array.from({ length: count }, (_, i) =>
    campaignOf(
      `c${String(i).padStart(5, '0')}`,
      inactionOf({ did: { event: `did ${i}` }, without }),
    ),
  );
}

function edited(campaign: Campaign): Campaign {
  return { ...campaign, rule: { ...campaign.rule, withinMs: 12_345 } as Campaign['rule'] };
}

function stepsOf(book: CampaignBook, change: () => void, names: readonly string[]): number {
  for (const name of names) book.routes.of(name);
  const before = book.routes.steps;
  change();
  for (const name of names) book.routes.of(name);
  return book.routes.steps - before;
}

describe('campaign book: what a change costs', () => {
  test('definitions that come at once are put in order once', () => {
    const perCampaign = (count: number) => {
      const book = new CampaignBook();
      const change = () => book.apply(definitionsOf(campaigns(count)), START_MS);
      return stepsOf(book, change, ['bought', 'did 0']) / count;
    };
    expect(perCampaign(MANY)).toBeLessThanOrEqual(2 * perCampaign(FEW));
  });

  test('an edit and the closing of its last window touch the names of its own rule', () => {
    const steps = (count: number) => {
      const book = new CampaignBook();
      const own = campaigns(count).map((campaign, i) => ({
        ...campaign,
        rule: { ...campaign.rule, without: [{ event: `bought ${i}` }] } as Campaign['rule'],
      }));
      book.apply(definitionsOf(own), START_MS);
      const node = book.nodes.currentOf('c00003')!;
      book.opened(node);
      const names = own.flatMap((_, i) => [`did ${i}`, `bought ${i}`]);
      const change = () => {
        book.applyDelta({ campaigns: [edited(own[3]!)] }, START_MS);
        for (const name of names) book.routes.of(name);
        expect(book.closed(node, 1)).toBe(true);
      };
      return stepsOf(book, change, names);
    };
    expect(steps(MANY)).toBe(steps(FEW));
  });

  test('what is closed between two events of a name is taken out in one go', () => {
    const steps = (closed: number) => {
      const book = new CampaignBook();
      const all = campaigns(MANY);
      book.apply(definitionsOf(all), START_MS);
      const nodes = all.map(({ id }) => book.nodes.currentOf(id)!);
      for (const node of nodes) book.opened(node);
      book.applyDelta({ campaigns: all.map(edited) }, START_MS);
      const change = () => {
        for (const node of nodes.slice(0, closed)) book.closed(node, 1);
      };
      return stepsOf(book, change, ['bought']);
    };
    expect(steps(1_000)).toBe(steps(1));
  });

  test('a route that was given out stays as it is while campaigns go', () => {
    const book = new CampaignBook();
    book.apply(definitionsOf(campaigns(FEW)), START_MS);
    const route = book.routes.of('bought')!;
    book.apply(definitionsOf(campaigns(3)), START_MS);
    // The rule listens, and the gate that asks whether the user has done it meanwhile.
    expect([route.length, book.routes.of('bought')!.length]).toEqual([2 * FEW, 2 * 3]);
  });

  test('of thousands of campaigns those are told of an attribute that wait for it', () => {
    const book = new CampaignBook();
    const all = Array.from({ length: MANY }, (_, i) =>
      campaignOf(`c${String(i).padStart(5, '0')}`, {
        kind: 'date',
        property: `at${i}.day`,
        offset: { days: 0 },
        yearly: false,
      } as unknown as Campaign['rule']),
    );
    book.apply(definitionsOf(all), START_MS);
    const idsOf = (names: readonly string[]) =>
      book.attributeNodes.of(names).map(({ campaignId }) => campaignId);
    expect(book.attributeNodes.takeAdded()).toHaveLength(MANY);
    expect(book.attributeNodes.takeAdded()).toHaveLength(0);
    expect(idsOf(['at7', 'at3', 'at7', 'no'])).toEqual(['c00003', 'c00007']);
    book.apply(definitionsOf(all.slice(0, 5)), START_MS);
    expect(idsOf(['at7', 'at3'])).toEqual(['c00003']);
  });
});
