/** The baseline: what one writes first. An object a window in a Map, and a `setTimeout` each. */
import { userIdOf } from '../workload/shop.ts';
import { collectGarbage } from './memory.ts';

interface NaiveWindow {
  readonly user: string;
  readonly cart: string;
  readonly properties: Readonly<Record<string, unknown>>;
  timer: NodeJS.Timeout;
}

export interface NaiveFigures {
  readonly bytes: number;
  readonly openNs: number;
  readonly moveNs: number;
  readonly cancelNs: number;
  /** Of a full collection with all of them, ms. */
  readonly collectMs: number;
}

const WITHIN_MS = 86_400_000;
const NS_PER_MS = 1e6;

export function measureNaive(count: number): NaiveFigures {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const windows = new Map<string, NaiveWindow>();
  const fire = (key: string) => windows.delete(key);
  const openMs = timed(() => {
    for (let number = 0; number < count; number++) {
      const user = userIdOf(number);
      const cart = `cart-${number}`;
      const key = `${user}\n${cart}`;
      const properties = { cart_id: cart, sku: `sku-${number % 50_000}`, price: 1.5, quantity: 1 };
      const timer = setTimeout(() => fire(key), WITHIN_MS);
      windows.set(key, { user, cart, properties, timer });
    }
  });
  const collectMs = timed(collectGarbage);
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  const moveMs = timed(() => {
    for (const [key, window] of windows) {
      clearTimeout(window.timer);
      window.timer = setTimeout(() => fire(key), WITHIN_MS);
    }
  });
  const cancelMs = timed(() => {
    for (const [key, window] of windows) {
      clearTimeout(window.timer);
      windows.delete(key);
    }
  });
  const each = (ms: number) => (ms * NS_PER_MS) / count;
  return {
    bytes,
    openNs: each(openMs),
    moveNs: each(moveMs),
    cancelNs: each(cancelMs),
    collectMs,
  };
}

export function timed(work: () => void): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}
