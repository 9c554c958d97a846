/** When the oracle's windows end, are due and fire. */
import { compare } from './oracle-filters.ts';
import type { Window } from './oracle-records.ts';

export function endOf({ rule, anchorAtMs, firstAtMs }: Window): number {
  return Math.min(anchorAtMs + rule.withinMs, firstAtMs + rule.maxExtendMs);
}

export function dueAtMs(window: Window): number {
  return Math.max(endOf(window) + window.rule.graceMs, window.notBeforeMs);
}

export function inOrderOfFiring(a: Window, b: Window): number {
  return (
    dueAtMs(a) - dueAtMs(b) ||
    compare(a.user, b.user) ||
    Number(a.isAnonymous) - Number(b.isAnonymous) ||
    compare(a.version.campaign, b.version.campaign) ||
    a.number - b.number
  );
}

export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
