import type { PropertyReader } from '../filters/property.ts';
import { propertyReader } from '../filters/property.ts';
import type { Scope } from '../router/scope.ts';
import { OPEN_WINDOWS_MAX } from './inaction/windows.ts';
import { matchText } from './match-value.ts';

/** Forgetting is not urgent, so that timers of many users come due together. */
const FORGET_STEP_MS = 60_000;

/** Events older than this trigger nothing (E15), so what they could meet is kept no longer. */
export const LATE_MS = 72 * 3_600_000;

/** When a cell that only waits to be forgotten goes. Unix ms. */
export function forgetAtMs(atMs: number): number {
  return Math.ceil((atMs + 1) / FORGET_STEP_MS) * FORGET_STEP_MS;
}

const readers = new Map<string, PropertyReader>();

function readerOf(path: string): PropertyReader {
  let read = readers.get(path);
  if (read === undefined) {
    read = propertyReader(path);
    readers.set(path, read);
  }
  return read;
}

/** The value at a path of the event's properties. */
export function propertyOf(scope: Scope, path: string): unknown {
  return readerOf(path)(scope.event.properties);
}

/**
 * The match value of the event at hand as text, empty for a rule without `match`.
 * @returns undefined when the event lacks it, which is counted
 */
export function matchOfEvent(scope: Scope, path: string | undefined): string | undefined {
  if (path === undefined) return '';
  const value = propertyOf(scope, path);
  if (value === undefined) {
    scope.counters.windowsUnmatched++;
    return undefined;
  }
  return matchText(value);
}

/** Whether one more match value may be remembered; a 26th is counted. */
export function hasRoom(scope: Scope): boolean {
  if (scope.matches().length < OPEN_WINDOWS_MAX) return true;
  scope.counters.windowsRefused++;
  return false;
}
