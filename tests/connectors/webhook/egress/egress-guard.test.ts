import { describe, expect, test } from 'vitest';
import { AllowList, isAllowEntry } from '../../../../connectors/webhook/egress/allow-list.ts';
import { EgressGuard } from '../../../../connectors/webhook/egress/egress-guard.ts';
import { isPublicAddress } from '../../../../connectors/webhook/egress/public-address.ts';

const guard = new EgressGuard();
/** Refused by the URL alone; the WHATWG parser makes an address of many of these. */
const REFUSED_URLS = [
  // Spellings of 127.0.0.1 and 0.0.0.0.
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://017700000001/',
  'http://127.1/',
  'http://0/',
  'http://①②⑦.⓪.⓪.①/',
  'http://127。0。0。1/',
  'http://0.0.0.0/',
  'http://user@127.0.0.1/',
  'http:\\\\127.0.0.1/',
  // IPv6, and IPv4 within it.
  'http://[::1]/',
  'http://[::]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[0:0:0:0:0:ffff:a00:1]/',
  'http://[::127.0.0.1]/',
  'http://[::5efe:127.0.0.1]/',
  'http://[4000::1]/',
  'http://[64:ff9b::10.0.0.1]/',
  'http://[64:ff9b::8.8.8.8]/',
  'http://[64:ff9b:1::1]/',
  'http://[::ffff:0:127.0.0.1]/',
  'http://[2002:7f00:1::]/',
  'http://[2001::1]/',
  'http://[2001:470:1::5efe:7f00:1]/',
  'http://[2001:470:1:0:200:5efe:7f00:1]/',
  'http://[fe80::1]/',
  'http://[fec0::1]/',
  'http://[fd00:ec2::254]/',
  'http://[fd20:ce::254]/',
  'http://[ff02::1]/',
  'http://[2001:db8::1]/',
  'http://[3fff::1]/',
  'http://[100::1]/',
  'http://[5f00::1]/',
  // Private, shared, reserved, and the metadata services of clouds.
  'http://10.0.0.1/',
  'http://172.16.0.1/',
  'http://172.31.255.254/',
  'http://192.168.1.1/',
  'http://169.254.169.254/latest/meta-data',
  'http://168.63.129.16/',
  'http://100.64.0.1/',
  'http://100.100.100.200/',
  'http://192.0.0.192/',
  'http://192.0.2.1/',
  'http://198.18.0.1/',
  'http://198.51.100.1/',
  'http://192.88.99.1/',
  'http://203.0.113.1/',
  'http://224.0.0.1/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  // Names of one's own network.
  'http://localhost/',
  'http://LOCALHOST./',
  'http://foo.localhost/',
  'http://metadata/',
  'http://metadata.google.internal/',
  'http://printer.local/',
  'http://router.home.arpa/',
  'http://crm:8080/',
  // Ports of other protocols.
  'http://public.example.com:22/',
  'http://public.example.com:25/',
  'http://public.example.com:4222/',
  'https://public.example.com:6379/',
  'http://8.8.8.8:5432/',
];
const ALLOWED_URLS = [
  'https://public.example.com/in',
  'http://public.example.com/in',
  'https://public.example.com./in',
  'https://public.example.com:8443/in',
  'http://8.8.8.8/',
  'http://172.32.0.1/',
  'http://172.15.255.255/',
  'http://[2606:4700::1111]/',
  'http://[::ffff:8.8.8.8]/',
];

describe('a URL that is saved', () => {
  test.each(REFUSED_URLS)('%s is refused', (url) => {
    expect(guard.urlRefusal(url)).toMatch(/^a URL with a p/);
  });

  test.each(ALLOWED_URLS)('%s is taken', (url) => {
    expect(guard.urlRefusal(url)).toBeUndefined();
  });

  test('the sentence names the setting that allows it', () => {
    expect(guard.urlRefusal('http://10.0.0.1/')).toContain('egress.allow');
  });
});

describe('an address', () => {
  test.each(['', 'nowhere', '1.2.3', '256.256.256.256', '1.2.3.4.5', '0x7f.1', 'fe80::1%eth0'])(
    '"%s" that cannot be read is not public',
    (text) => expect(isPublicAddress(text)).toBe(false),
  );
});

describe('the allow-list', () => {
  test.each([
    ['127.0.0.1', 'http://127.0.0.1:9000/'],
    ['127.0.0.0/8', 'http://127.8.9.1/'],
    ['127.0.0.1', 'http://[::ffff:127.0.0.1]/'],
    ['10.0.0.0/8', 'http://10.1.2.3:4222/'],
    ['::1', 'http://[::1]:9000/'],
    ['fd00::/8', 'http://[fd12::7]/'],
    ['0.0.0.0/0', 'http://192.168.1.1/'],
    ['crm.local', 'http://CRM.local:8080/'],
    ['*.local', 'http://a.b.local/'],
    ['crm', 'http://crm:8080/'],
    ['*.example.com', 'http://queue.example.com:4222/'],
    // Which address the name has is seen at the connection.
    ['10.0.0.0/8', 'http://crm:8080/'],
  ])('%s lets %s through', (entry, url) => {
    expect(new EgressGuard({ allow: [entry] }).urlRefusal(url)).toBeUndefined();
  });

  test.each([
    ['127.0.0.1', 'http://127.0.0.2/'],
    ['10.0.0.0/8', 'http://11.0.0.1:22/'],
    ['10.0.0.0/8', 'http://192.168.1.1/'],
    ['10.0.0.0/8', 'http://[fd00::1]/'],
    ['*.local', 'http://local/'],
    ['crm.local', 'http://evil-crm.local/'],
    ['example.com', 'http://evil.example.com:22/'],
  ])('%s does not let %s through', (entry, url) => {
    expect(new EgressGuard({ allow: [entry] }).urlRefusal(url)).toBeDefined();
  });

  test.each([
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0/8',
    'fe80::/129',
    'a b',
    '*',
    '*.',
    'a..b',
    '',
    'http://a',
    '1.2.3',
    '0x7f',
  ])('"%s" is no entry', (entry) => expect(isAllowEntry(entry)).toBe(false));

  test('an entry that is none allows nothing', () => {
    const list = new AllowList(['10.0.0.0/33', '*']);
    expect(list.hasRanges).toBe(false);
    expect(list.hasName('anything')).toBe(false);
  });
});

describe('what is our own', () => {
  const own = [
    { host: '127.0.0.1', port: 8080 },
    { host: 'nats.internal', port: 4222 },
    { host: '10.0.0.9', port: 4222 },
  ];
  const allowing = new EgressGuard({ allow: ['0.0.0.0/0', '::/0', 'nats.internal'], own });

  test.each([
    ['127.0.0.1', '127.0.0.1', 8080],
    ['localhost', '127.0.0.1', 8080],
    ['::1', '::1', 8080],
    ['0.0.0.0', '0.0.0.0', 8080],
    ['::ffff:7f00:1', '::ffff:7f00:1', 8080],
    ['127.0.0.9', '127.0.0.9', 8080],
    ['nats.internal', '10.0.0.8', 4222],
    ['other.internal', '10.0.0.9', 4222],
  ])('%s (%s, port %i) is not reached, though its address is allowed', (name, address, port) => {
    expect(allowing.mayConnect(name, address, port)).toBe(false);
  });

  test.each([
    ['127.0.0.1', '127.0.0.1', 9000],
    ['10.0.0.5', '10.0.0.5', 8080],
    ['10.0.0.8', '10.0.0.8', 4222],
  ])('%s (%s, port %i) is', (name, address, port) => {
    expect(allowing.mayConnect(name, address, port)).toBe(true);
  });
});
