/**
 * Where requests may go (SSRF guard). A webhook's URL is written by people who are not those who
 * run Lapse, so it must not reach what only this machine can: by its address, by a name that has
 * one, or by a name that has another one when it is asked for again.
 *
 *   save ─▶ urlRefusal          literals, local names, ports of other protocols
 *   connect ─▶ mayConnect       literals, which are never looked up
 *           ─▶ lookup           all answers of a name, none may be private
 *           ─▶ mayConnect       the address that the socket has
 */
import { lookup as dnsLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { AllowList } from './allow-list.ts';
import { BLOCKED_PORTS } from './blocked-ports.ts';
import { addressOf, isPublicAddress } from './public-address.ts';

/** Something that this process listens on, or connects to as its own. */
export interface OwnEndpoint {
  /** A name or an address. */
  readonly host: string;
  readonly port: number;
}

/** All addresses of a name. Rejects as `dns.lookup` does. */
export type Resolver = (hostname: string) => Promise<readonly string[]>;

export interface EgressGuardOptions {
  /** See `AllowList`. @default none */
  readonly allow?: readonly string[];
  /** Never reached, also when their addresses are allowed. @default none */
  readonly own?: readonly OwnEndpoint[];
  /** @default the system's */
  readonly resolve?: Resolver;
}

async function systemResolver(hostname: string): Promise<readonly string[]> {
  const answers = await dnsLookup(hostname, { all: true });
  return answers.map(({ address }) => address);
}

/** Names that say by themselves that they are not of the internet. */
const LOCAL_NAME = /^[^.]*$|(?:^|\.)(?:localhost|local|internal|home\.arpa|onion|lan|corp|home)$/;
const LOCAL_HOSTS = ['localhost', '0.0.0.0', '::', '::1'];

/** Says what is refused and never which address a name has: that would be a map of our network. */
export class EgressError extends Error {
  readonly code = 'ERR_EGRESS';

  constructor() {
    super('the receiver must be public, or listed in egress.allow');
    this.name = 'EgressError';
  }
}

export class EgressGuard {
  readonly #allow: AllowList;
  readonly #own: readonly OwnEndpoint[];
  readonly #resolve: Resolver;

  constructor({ allow = [], own = [], resolve = systemResolver }: EgressGuardOptions = {}) {
    this.#allow = new AllowList(allow);
    this.#own = own;
    this.#resolve = resolve;
  }

  /**
   * What a URL must be and is not, as far as the URL itself shows; undefined when it may be saved.
   * @param text of a URL that can be parsed
   */
  urlRefusal(text: string): string | undefined {
    const url = new URL(text);
    const host = plainHost(url.hostname);
    const port = portOf(url);
    if (isIP(host) !== 0) {
      return this.mayConnect(host, host, port)
        ? undefined
        : 'a URL with a public address, or one that egress.allow lists';
    }
    if (this.#allow.hasName(host)) return undefined;
    if (LOCAL_NAME.test(host) && !this.#allow.hasRanges) {
      return 'a URL with a public host name, or one that egress.allow lists';
    }
    const isLocal = LOCAL_NAME.test(host);
    return !isLocal && BLOCKED_PORTS.has(port)
      ? `a URL with a port that HTTP servers use, not ${port}`
      : undefined;
  }

  /**
   * @param hostname as the URL has it, without brackets
   * @param address that it has
   */
  mayConnect(hostname: string, address: string, port: number): boolean {
    if (this.#isOwn(hostname, address, port)) return false;
    const name = plainHost(hostname);
    if (this.#allow.hasAddress(address) || this.#allow.hasName(name)) return true;
    return isPublicAddress(address) && !BLOCKED_PORTS.has(port);
  }

  /** For `net.connect`: gives the addresses that were looked at, so that none is asked for again. */
  lookup(port: number): LookupFunction {
    return (hostname, options, callback) => {
      this.#resolve(hostname).then(
        (addresses) => {
          const isFit =
            addresses.length > 0 &&
            addresses.every((address) => this.mayConnect(hostname, address, port));
          if (!isFit) return callback(new EgressError(), []);
          const all = addresses.map((address) => ({ address, family: isIP(address) }));
          const [first] = all;
          if (options.all === true) callback(null, all);
          else callback(null, first!.address, first!.family);
        },
        (error: Error) => callback(error, []),
      );
    };
  }

  #isOwn(hostname: string, address: string, port: number): boolean {
    const plain = addressOf(address)?.toString() ?? address;
    return this.#own.some((one) => {
      if (one.port !== port) return false;
      const host = plainHost(one.host);
      if (host === plainHost(hostname) || host === plain) return true;
      return isOfThisMachine(host) && isOfThisMachine(plain);
    });
  }
}

function isOfThisMachine(host: string): boolean {
  if (LOCAL_HOSTS.includes(host) || host.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((list) =>
    list?.some(({ address }) => address === host),
  );
}

/** In lower case, without brackets and without a dot at its end. */
export function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}
