/** Private receivers that may be reached: addresses, ranges and names, as they are written. */
import type ipaddr from 'ipaddr.js';
import { addressOf, isWithin } from './public-address.ts';

/** Of one list; a network has fewer receivers. */
export const ENTRIES_MAX = 256;
const NAME = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*$/;

/** What an entry is; undefined when it is none. */
function entryOf(
  written: string,
): { range: [ipaddr.IPv4 | ipaddr.IPv6, number] } | string | undefined {
  const text = written.trim().toLowerCase();
  const address = addressOf(text);
  if (address !== undefined) return { range: [address, address.kind() === 'ipv4' ? 32 : 128] };
  const slash = text.indexOf('/');
  if (slash >= 0) {
    const base = addressOf(text.slice(0, slash));
    const bits = text.slice(slash + 1);
    const isFit = /^\d{1,3}$/.test(bits) && Number(bits) <= (base?.kind() === 'ipv4' ? 32 : 128);
    return base !== undefined && isFit ? { range: [base, Number(bits)] } : undefined;
  }
  // A last part of digits would be read as an address by a URL: never a name.
  return NAME.test(text) && !/(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(text) ? text : undefined;
}

/** Whether it is an address, a range like `10.0.0.0/8` or a name like `crm.local` or `*.local`. */
export function isAllowEntry(text: string): boolean {
  return entryOf(text) !== undefined;
}

export class AllowList {
  readonly #ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  readonly #names = new Set<string>();
  /** With their dot, `.example.com`. */
  readonly #suffixes: string[] = [];

  /** @param entries those of `isAllowEntry`; others allow nothing */
  constructor(entries: readonly string[]) {
    for (const written of entries) {
      const entry = entryOf(written);
      if (entry === undefined) continue;
      if (typeof entry !== 'string') this.#ranges.push(entry.range);
      else if (entry.startsWith('*.')) this.#suffixes.push(entry.slice(1));
      else this.#names.add(entry);
    }
  }

  /** Whether any address is listed, which a name may turn out to have. */
  get hasRanges(): boolean {
    return this.#ranges.length > 0;
  }

  hasAddress(text: string): boolean {
    const address = addressOf(text);
    return address !== undefined && isWithin(address, this.#ranges);
  }

  /** @param name in lower case, without a dot at its end */
  hasName(name: string): boolean {
    return this.#names.has(name) || this.#suffixes.some((suffix) => name.endsWith(suffix));
  }
}
