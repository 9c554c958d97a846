import type { EventContext } from '../../events/check-event.ts';
import type { EventLimits } from '../../events/event-limits.ts';
import type { Repairs } from '../../events/repairs.ts';

/**
 * For the events of a file: `index` is the number of the line. The same line has the same id each
 * time that the file is read.
 * @param name of the file, without its folders: where it lies does not change what it says
 */
export function lineContext(name: string, limits: EventLimits, repairs: Repairs): EventContext {
  return {
    repairs,
    limits,
    receivedAtMs: 0,
    byteLength: 0,
    type: undefined,
    sentAt: undefined,
    index: 0,
    messageIdOf: (lineNumber) => `file:${name}:${lineNumber}`,
  };
}
