/** What segments say of one another: those they name exist, and no chain of them is a ring. */
import { audienceLimits } from '../limits.ts';

export interface SegmentLinks {
  readonly id: string;
  /** Ids of the segments that it includes or excludes. */
  readonly uses: readonly string[];
}

export interface SegmentComplaint {
  /** Of the segments that it is about. */
  readonly ids: readonly string[];
  /** Continues the path: `must be …`. */
  readonly rest: string;
}

const DEPTH_MAX = audienceLimits.segmentDepth.max;

/** Ids that a sentence shows of a long ring. */
const RING_SHOWN_MAX = 10;

function ringText(ring: readonly string[]): string {
  if (ring.length <= RING_SHOWN_MAX) return ring.join(' → ');
  const shown = ring.slice(0, RING_SHOWN_MAX - 1).join(' → ');
  return `${shown} → … → ${ring.at(-1)}`;
}

/**
 * One complaint for each ring, and one for each segment that is the first to be nested too deep.
 * A walk with a stack of its own: a chain may be as long as the file.
 */
export function segmentComplaints(segments: readonly SegmentLinks[]): SegmentComplaint[] {
  const complaints: SegmentComplaint[] = [];
  const byId = new Map(segments.map((one) => [one.id, one]));
  /** Levels below and with it; 0 while it is being walked. */
  const levels = new Map<string, number>();
  for (const { id } of segments) {
    const stack: { readonly id: string; next: number; level: number }[] = [];
    const enter = (entered: string): void => {
      levels.set(entered, 0);
      stack.push({ id: entered, next: 0, level: 1 });
    };
    if (!levels.has(id)) enter(id);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const used = byId.get(top.id)!.uses[top.next++];
      if (used === undefined) {
        stack.pop();
        levels.set(top.id, top.level);
        if (top.level === DEPTH_MAX + 1) {
          const rest = `must be nested at most ${DEPTH_MAX} segments deep, got more`;
          complaints.push({ ids: [top.id], rest });
        }
        const parent = stack.at(-1);
        if (parent !== undefined) parent.level = Math.max(parent.level, top.level + 1);
        continue;
      }
      const level = byId.has(used) ? levels.get(used) : 1;
      if (level === undefined) enter(used);
      else if (level > 0) top.level = Math.max(top.level, level + 1);
      else {
        const from = stack.findIndex((one) => one.id === used);
        const ring = [...stack.slice(from).map((one) => one.id), used];
        const rest = `must be free of cycles, got the cycle ${ringText(ring)}`;
        complaints.push({ ids: ring, rest });
      }
    }
  }
  return complaints;
}
