/**
 * Which addresses belong to the public internet. Everything else (this machine, its networks, the
 * metadata services of clouds, tunnels that end in them) is refused unless somebody lists it.
 * `ipaddr.js` knows most ranges by name; what it takes for public and is not stands here.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

function rangesOf(...texts: readonly string[]): Range[] {
  return texts.map((text) => ipaddr.parseCIDR(text));
}

const NOT_PUBLIC_4 = rangesOf(
  // The virtual server of Azure machines, in a public range.
  '168.63.129.16/32',
  '192.0.0.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.175.48.0/24',
);
const PUBLIC_6 = rangesOf('2000::/3');
const NOT_PUBLIC_6 = rangesOf(
  // Teredo and 6to4 carry an IPv4 address inside, which may be any.
  '2001::/32',
  '2002::/16',
  '2001:2::/48',
  '2001:10::/28',
  '2001:20::/28',
  '2001:db8::/32',
  '3fff::/20',
);
/** The third 32 bits of an ISATAP address, below any prefix: an IPv4 address follows. */
const ISATAP = { high: [0x0000, 0x0200], low: 0x5efe } as const;

/** The address, with IPv4 inside IPv6 (`::ffff:a.b.c.d`) taken out; undefined when it is none. */
export function addressOf(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // Node's own reading is the strict one: no octal, no hex, no short forms. And no zone.
  if (isIP(text) === 0 || text.includes('%')) return undefined;
  return ipaddr.process(text);
}

/** Fails closed: what cannot be read is not public. */
export function isPublicAddress(text: string): boolean {
  const address = addressOf(text);
  if (address === undefined || address.range() !== 'unicast') return false;
  if (address instanceof ipaddr.IPv4) return !isWithin(address, NOT_PUBLIC_4);
  const isIsatap =
    (ISATAP.high as readonly number[]).includes(address.parts[4]!) &&
    address.parts[5] === ISATAP.low;
  return isWithin(address, PUBLIC_6) && !isWithin(address, NOT_PUBLIC_6) && !isIsatap;
}

export function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, ranges: readonly Range[]): boolean {
  return ranges.some(
    ([base, bits]) => base.kind() === address.kind() && address.match(base as never, bits),
  );
}
