/** How a writer's position stands in the headers of a message: `epoch offset ordinal`. */
import type { WriterPosition } from '../../../engine/log/log.ts';

export const FENCE_HEADER = 'Lapse-Fence';

export function positionText({ epoch, offset, ordinal }: WriterPosition): string {
  return `${epoch} ${offset} ${ordinal}`;
}

/** @returns undefined for a text that is no position; without a text, that of who never wrote */
export function positionFrom(text: string): WriterPosition | undefined {
  if (text === '') return { epoch: 0, offset: 0, ordinal: 0 };
  const [epoch, offset, ordinal, ...rest] = text.split(' ').map(wholeFrom);
  // A number that is none would be neither older nor newer than any other, and let all through.
  if (epoch === undefined || offset === undefined || ordinal === undefined) return undefined;
  if (rest.length > 0) return undefined;
  return { epoch, offset, ordinal };
}

function wholeFrom(text: string): number | undefined {
  const value = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : undefined;
}
