import type { QuietWindow } from '../../definitions.ts';
export function quietUntil(
  _atMs: number,
  _windows: readonly QuietWindow[],
  _timezone: string,
): number | undefined {
  return undefined;
}
