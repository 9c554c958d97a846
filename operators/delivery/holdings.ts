import { deliveryBytes } from './codec.ts';
import type { Delivery } from './delivery.ts';

/** How much a lane holds in memory; what has no room stays in the log. */
export class Holdings {
  readonly #deliveriesMax: number;
  readonly #bytesMax: number;
  #bytes = 0;
  count = 0;

  constructor(deliveriesMax: number, bytesMax: number) {
    this.#deliveriesMax = deliveriesMax;
    this.#bytesMax = bytesMax;
  }

  /** Deliveries, at most; an envelope that is begun is taken in whole. */
  get room(): number {
    if (this.#bytes >= this.#bytesMax) return 0;
    return Math.max(0, this.#deliveriesMax - this.count);
  }

  add(delivery: Delivery): void {
    this.count++;
    this.#bytes += deliveryBytes(delivery);
  }

  remove(delivery: Delivery): void {
    this.count--;
    this.#bytes -= deliveryBytes(delivery);
  }
}
