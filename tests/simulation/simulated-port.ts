import type { StoragePort } from '../../connectors/logs/embedded/storage-protocol.ts';
import type { Life, Scheduler } from './scheduler.ts';

interface End {
  readonly life: Life;
  readonly onMessage: ((message: unknown) => void)[];
  readonly onClose: (() => void)[];
  /** What was sent last to it arrives then: messages keep their order. */
  arrivalMs: number;
  isClosed: boolean;
}

/** Two ends of a channel between two threads: cloned, in order, after a while. */
export function simulatedPorts(
  scheduler: Scheduler,
  slowMs: () => number,
  lives: readonly [Life, Life],
): [StoragePort, StoragePort] {
  const [one, other] = lives.map(
    (life): End => ({ life, onMessage: [], onClose: [], arrivalMs: 0, isClosed: false }),
  ) as [End, End];
  const arriveAt = (end: End) => {
    end.arrivalMs = Math.max(end.arrivalMs, scheduler.nowMs + scheduler.delayMs(0.01, slowMs()));
    return end.arrivalMs;
  };
  const portOf = (mine: End, theirs: End) => ({
    postMessage(message: unknown, transfer: ArrayBuffer[] = []) {
      if (mine.isClosed) return;
      const clone: unknown = structuredClone(message, { transfer });
      scheduler.at(arriveAt(theirs), theirs.life, () => {
        if (!theirs.isClosed) for (const take of theirs.onMessage) take(clone);
      });
    },
    on(event: string, take: (message: unknown) => void) {
      if (event === 'message') mine.onMessage.push(take);
      else if (event === 'close') mine.onClose.push(() => take(undefined));
    },
    close() {
      for (const end of [mine, theirs]) {
        scheduler.at(arriveAt(end), end.life, () => {
          if (end.isClosed) return;
          end.isClosed = true;
          for (const tell of end.onClose) tell();
        });
      }
    },
  });
  return [portOf(one, other), portOf(other, one)] as unknown as [StoragePort, StoragePort];
}
