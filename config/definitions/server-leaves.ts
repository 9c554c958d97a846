/** How the settings of the HTTP server are read. */
import { commaList, type Leaf, text } from '../../operators/schema/leaf.ts';

const LIST_LENGTH_MAX = 100;
const NAME_CHARS_MAX = 255;

export interface HostAndPort {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
}

const HOST_AND_PORT = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[^\s:[\]/]+)):(?<port>\d{1,5})$/;

/** `0.0.0.0:9090` or `[::]:9090`. */
export const hostAndPort: Leaf<HostAndPort> = {
  wanted: 'an address with a port, like 0.0.0.0:9090 or [::]:9090',
  read: (value) => {
    const parts = typeof value === 'string' ? HOST_AND_PORT.exec(value)?.groups : undefined;
    const port = Number(parts?.port);
    if (parts === undefined || port > 65_535) return undefined;
    return { host: parts.v6 ?? parts.host!, port };
  },
  json: { type: 'string', description: 'An address with a port, like 0.0.0.0:9090.' },
};

/** What browsers say in `Origin`: a scheme, a host and perhaps a port, and nothing behind. */
const ORIGIN =
  /^(?:\*|https?:\/\/(?:\*\.)?[a-z0-9.-]+(?::\d{1,5})?|https?:\/\/\[[0-9a-f:.]+\](?::\d{1,5})?)$/;

export const origins = commaList(
  text('an origin', { charsMax: NAME_CHARS_MAX, pattern: ORIGIN }),
  'a list of origins in lower case like https://shop.example.com, https://*.example.com or *',
  LIST_LENGTH_MAX,
);

export const hostNames = commaList(
  text('a host name', { charsMax: NAME_CHARS_MAX, pattern: /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/ }),
  'a list of host names in lower case like events.example.com',
  LIST_LENGTH_MAX,
);
