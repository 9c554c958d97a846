import { isIPv6 } from 'node:net';

/** What a client's share is counted by when its socket is gone already. */
const UNKNOWN = 'unknown';

/**
 * The address that a client's share is counted by. One host has a whole /64 of IPv6, so that is
 * what counts; an IPv4 address is itself, in its IPv6 form too.
 */
export function clientAddress(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined || remoteAddress === '') return UNKNOWN;
  if (remoteAddress.startsWith('::ffff:')) return remoteAddress.slice('::ffff:'.length);
  if (!isIPv6(remoteAddress)) return remoteAddress;
  const [head = '', tail] = remoteAddress.split('%')[0]!.split('::');
  const groups = head === '' ? [] : head.split(':');
  const tailGroups = tail === undefined || tail === '' ? [] : tail.split(':');
  if (tail !== undefined) {
    while (groups.length + tailGroups.length < 8) groups.push('0');
  }
  return `${[...groups, ...tailGroups].slice(0, 4).join(':')}::/64`;
}
