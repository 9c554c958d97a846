import { isDeepStrictEqual } from 'node:util';
import type { Definitions } from '../../../operators/definitions.ts';
import { changedIn } from '../../../operators/definitions-delta.ts';

/** One definition that is put. Names keys and no values: some of them are secrets. */
export interface DefinitionChange {
  readonly kind: 'settings' | 'webhook' | 'segment' | 'campaign';
  /** Absent for settings. */
  readonly id?: string;
  readonly change: 'added' | 'changed';
  /** Of a changed one: its keys that differ. */
  readonly keys?: readonly string[];
}

/** What `after` has that `before` has not, in the order of the definitions. */
export function differenceOf(before: Definitions, after: Definitions): DefinitionChange[] {
  const settings: DefinitionChange[] = isDeepStrictEqual(before.settings, after.settings)
    ? []
    : [{ kind: 'settings', change: 'changed', keys: keysOf(before.settings, after.settings) }];
  return [
    ...settings,
    ...changesOf('webhook', before.webhooks, after.webhooks),
    ...changesOf('segment', before.segments, after.segments),
    ...changesOf('campaign', before.campaigns, after.campaigns),
  ];
}

function changesOf<T extends { readonly id: string }>(
  kind: DefinitionChange['kind'],
  before: readonly T[],
  after: readonly T[],
): DefinitionChange[] {
  const known = new Map(before.map((one) => [one.id, one]));
  return changedIn(before, after).map((one) => {
    const old = known.get(one.id);
    if (old === undefined) return { kind, id: one.id, change: 'added' };
    return { kind, id: one.id, change: 'changed', keys: keysOf(old, one) };
  });
}

function keysOf(before: object, after: object): string[] {
  const [old, now] = [before, after] as Record<string, unknown>[];
  const keys = [...new Set([...Object.keys(old!), ...Object.keys(now!)])];
  return keys.filter((key) => !isDeepStrictEqual(old![key], now![key])).sort();
}
