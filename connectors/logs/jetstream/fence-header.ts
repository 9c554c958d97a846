/** How a writer's position stands in the headers of a message: `epoch offset ordinal`. */
import type { WriterPosition } from '../../../engine/log.ts';

export const FENCE_HEADER = 'Lapse-Fence';

export function positionText({ epoch, offset, ordinal }: WriterPosition): string {
  return `${epoch} ${offset} ${ordinal}`;
}

export function positionFrom(text: string): WriterPosition {
  const [epoch = 0, offset = 0, ordinal = 0] = text.split(' ').map(Number);
  return { epoch, offset, ordinal };
}
