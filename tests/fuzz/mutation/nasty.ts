// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so do files name variables.
/** Values, names and bytes that decoders have stumbled over since there are decoders. */
import type { Raw } from './tree.ts';

function raw(json: string, msgpack: readonly number[] | Uint8Array): Raw {
  return { kind: 'raw', json, msgpack: Uint8Array.from(msgpack) };
}

function double(value: number): Uint8Array {
  const bytes = Buffer.alloc(9, 0xcb);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function nested(open: string, inner: string, close: string, depth: number, token: number): Raw {
  const bytes = Buffer.alloc(depth + 1, token);
  bytes[depth] = 0xc0;
  return raw(open.repeat(depth) + inner + close.repeat(depth), bytes);
}

function text(value: string): Raw {
  const body = Buffer.from(value);
  const head = Buffer.alloc(5, 0xdb);
  head.writeUInt32BE(body.length, 1);
  return raw(JSON.stringify(value), Buffer.concat([head, body]));
}

export const NASTY_VALUES: readonly Raw[] = [
  raw('NaN', double(Number.NaN)),
  raw('1e400', double(Number.POSITIVE_INFINITY)),
  raw('-1e400', double(Number.NEGATIVE_INFINITY)),
  raw('-0', double(-0)),
  raw('-0.0', [0xca, 0x80, 0, 0, 0]),
  raw('9007199254740993', [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1]),
  raw('-9007199254740993', [0xd3, 0xff, 0xdf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  raw('18446744073709551616', [0xcf, 255, 255, 255, 255, 255, 255, 255, 255]),
  raw('5e-324', double(5e-324)),
  raw('1.7976931348623157e308', double(Number.MAX_VALUE)),
  raw('4294967296', [0xce, 255, 255, 255, 255]),
  raw('-2147483649', [0xd2, 0x80, 0, 0, 0]),
  raw('01', [0xd0, 0x80]),
  raw('"\\ud800"', [0xa3, 0xed, 0xa0, 0x80]),
  raw('"\\udc00\\ud800"', [0xa6, 0xed, 0xb0, 0x80, 0xed, 0xa0, 0x80]),
  raw('"\\u0000"', [0xa1, 0]),
  raw('"\ufeff"', [0xa3, 0xef, 0xbb, 0xbf]),
  raw('"\ufffd"', [0xa1, 0xff]),
  raw('"\u2028\u2029"', [0xa2, 0xc0, 0x80]),
  raw('{"__proto__":{"polluted":1}}', [
    0x81,
    0xa9,
    ...Buffer.from('__proto__'),
    0x81,
    0xa1,
    0x70,
    1,
  ]),
  raw('{"constructor":1,"toJSON":1}', [
    0x82,
    0xab,
    ...Buffer.from('constructor'),
    1,
    0xa6,
    ...Buffer.from('toJSON'),
    1,
  ]),
  raw('{"constructor":{"prototype":{"polluted":1}}}', [0xc4, 2, 1, 2]),
  raw('{"toString":null,"valueOf":null}', [0x81, 0xa8, ...Buffer.from('toString'), 0xc0]),
  raw('{"hasOwnProperty":1,"length":-1}', [0x81, 1, 2]),
  raw('{"then":1,"0":0,"4294967295":1}', [0x81, 0xce, 255, 255, 255, 255, 1]),
  raw('{"a":1,"a":2}', [0x82, 0xa1, 0x61, 1, 0xa1, 0x61, 2]),
  raw('', [0xc1]),
  raw('[', [0xdd, 255, 255, 255, 255]),
  raw('{', [0xdf, 255, 255, 255, 255]),
  raw('"', [0xdb, 255, 255, 255, 255]),
  raw('[,]', [0xc6, 255, 255, 255, 255]),
  raw('{"a"}', [0xc9, 255, 255, 255, 255, 0x72]),
  raw('[[],{},"",null]', [0x94, 0x90, 0x80, 0xa0, 0xc0]),
  raw('true', [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61]),
  raw('false', [0xd6, 0xff, 255, 255, 255, 255]),
  raw('null', [0xc7, 12, 0xff, 0, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255]),
  raw('"2026-02-30T24:00:00Z"', [0xd7, 0xff, 255, 255, 255, 255, 255, 255, 255, 255]),
  raw('"9999-12-31T23:59:59.999999999999-23:59"', [0xd5, 0x65, 0x45, 0x45]),
  raw('"$D_999999999999999"', [0xc7, 3, 0x74, 1, 2, 3]),
  raw('8e15', double(8e15)),
  raw('"1d1d"', [0xd8, 0x70, ...Buffer.alloc(16)]),
  nested('[', '', ']', 9, 0x91),
  nested('[', '1', ']', 64, 0x91),
  nested('[', '', ']', 4_000, 0x91),
  nested('{"a":', '1', '}', 9, 0x91),
  nested('{"a":', '1', '}', 4_000, 0xdc),
  nested('[', '', '', 4_000, 0x91),
  text('a'.repeat(121)),
  text('é'.repeat(700)),
  text(`${'1'.repeat(6_000)}x`),
  text('x'.repeat(33 * 1024)),
  raw(`[${'0,'.repeat(3_000)}0]`, [0xdc, 0x0b, 0xb8, ...new Array<number>(3_000).fill(0)]),
  raw(`[${'{},'.repeat(1_500)}{}]`, [0xdc, 0x05, 0xdc, ...new Array<number>(1_500).fill(0x80)]),
];

export const NASTY_NAMES: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'toJSON',
  'then',
  'length',
  '0',
  '4294967294',
  '4294967295',
  '-0',
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\ufeff',
  'a.b',
  '$ref',
  'n'.repeat(121),
  'é'.repeat(120),
  'userId',
  'anonymousId',
  'event',
  'type',
  'properties',
  'traits',
  'context',
  'timestamp',
  'sentAt',
  'messageId',
  'batch',
];

/** Put into the bytes of any input. */
export const NASTY_BYTES: readonly Uint8Array[] = [
  [0],
  [0xff],
  [0x0a],
  [0x0d, 0x0a],
  [0xef, 0xbb, 0xbf],
  [0xc0, 0x80],
  [0xc1, 0xbf],
  [0xe0, 0x80, 0xaf],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf0, 0x9f, 0x98],
  [0xfe, 0xff],
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xdf, 0xff, 0xff, 0xff, 0xff],
  [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3],
].map((bytes) => Uint8Array.from(bytes));

export const NASTY_INTEGERS: readonly number[] = [
  0, 1, 2, 7, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
  0xfffffffe, 0xffffffff,
];

export const NASTY_DOUBLES: readonly number[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  -0,
  -1,
  0.5,
  5e-324,
  2 ** 53 + 2,
  1e300,
  8.64e15,
  8.64e15 + 1,
];

/** Text in which YAML has meanings that JSON has not. */
export const YAML_WORDS: readonly string[] = [
  '&a ',
  '*a',
  '*a, *a, *a',
  '&a [*a, *a]',
  '&a {x: *a, y: *a}',
  '<<: *a\n',
  '<<: [*a, *a]\n',
  '!!binary ',
  '!!set ',
  '!!omap ',
  '!!timestamp ',
  '!!js/function ',
  '!!float ',
  '!<tag:yaml.org,2002:str> ',
  '! ',
  '%YAML 1.1\n---\n',
  '%TAG ! tag:x,2000:\n---\n',
  '---\n',
  '...\n',
  '? ',
  '? [a, b]\n: ',
  '- ',
  '- - - - ',
  '|\n ',
  '>-\n ',
  '|9\n',
  '# ',
  ': ',
  ', ',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '\t',
  '\n',
  '\n  ',
  '0x10',
  '0o17',
  '1_000',
  '.inf',
  '-.inf',
  '.nan',
  '~',
  'yes',
  '1:20:30',
  '2001-01-01',
  '__proto__: ',
  'constructor: ',
  '${A}',
  '${',
  '$${',
  '{{ x }}',
];
