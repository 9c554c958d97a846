/**
 * Values as trees that can say what no JavaScript value can: a key given twice, `1e400`, a lone
 * surrogate, a length of 2^32-1. Mutated as trees, then written as JSON or msgpack.
 */
export type Tree =
  | { readonly kind: 'map'; readonly entries: [string, Tree][] }
  | { readonly kind: 'list'; readonly items: Tree[] }
  | { readonly kind: 'leaf'; readonly value: string | number | boolean | null }
  | Raw;

/** Something that is written as it stands. */
export interface Raw {
  readonly kind: 'raw';
  readonly json: string;
  readonly msgpack: Uint8Array;
}

/** Of plain values; what has no form in a tree becomes null. */
export function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return { kind: 'list', items: value.map(treeOf) };
  if (typeof value === 'object' && value !== null) {
    return {
      kind: 'map',
      entries: Object.entries(value).map(([key, child]) => [key, treeOf(child)]),
    };
  }
  const isLeaf = ['string', 'number', 'boolean'].includes(typeof value);
  return { kind: 'leaf', value: isLeaf ? (value as string | number | boolean) : null };
}

export function copyOf(tree: Tree): Tree {
  if (tree.kind === 'list') return { kind: 'list', items: tree.items.map(copyOf) };
  if (tree.kind !== 'map') return tree;
  return { kind: 'map', entries: tree.entries.map(([key, child]) => [key, copyOf(child)]) };
}

export function jsonOf(tree: Tree): string {
  switch (tree.kind) {
    case 'raw':
      return tree.json;
    case 'leaf':
      return JSON.stringify(tree.value);
    case 'list':
      return `[${tree.items.map(jsonOf).join(',')}]`;
    case 'map':
      return `{${tree.entries.map(([key, child]) => `${JSON.stringify(key)}:${jsonOf(child)}`).join(',')}}`;
  }
}

export function msgpackOf(tree: Tree): Uint8Array {
  const parts: Uint8Array[] = [];
  write(tree, parts);
  return Buffer.concat(parts);
}

function write(tree: Tree, parts: Uint8Array[]): void {
  switch (tree.kind) {
    case 'raw':
      parts.push(tree.msgpack);
      return;
    case 'leaf':
      parts.push(leafBytes(tree.value));
      return;
    case 'list':
      parts.push(header(0x90, 0xdc, tree.items.length));
      for (const item of tree.items) write(item, parts);
      return;
    case 'map':
      parts.push(header(0x80, 0xde, tree.entries.length));
      for (const [key, child] of tree.entries) {
        parts.push(textBytes(key));
        write(child, parts);
      }
  }
}

function header(short: number, long: number, length: number): Uint8Array {
  if (length < 16) return Uint8Array.of(short | length);
  if (length < 0x10000) return Uint8Array.of(long, length >>> 8, length & 255);
  const bytes = Buffer.alloc(5);
  bytes[0] = long + 1;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function textBytes(text: string): Uint8Array {
  const body = Buffer.from(text);
  if (body.length < 32) return Buffer.concat([Uint8Array.of(0xa0 | body.length), body]);
  const head = Buffer.alloc(5);
  head[0] = 0xdb;
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

function leafBytes(value: string | number | boolean | null): Uint8Array {
  if (value === null) return Uint8Array.of(0xc0);
  if (typeof value === 'boolean') return Uint8Array.of(value ? 0xc3 : 0xc2);
  if (typeof value === 'string') return textBytes(value);
  if (Number.isInteger(value) && value >= 0 && value < 0x80) return Uint8Array.of(value);
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}
