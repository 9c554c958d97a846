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

/** Deeper trees are changed by their bytes only: what walks trees here calls itself. */
const DEPTH_MAX = 200;

/**
 * Of plain values; what has no form in a tree becomes null.
 * @throws RangeError when it is too deep
 */
export function treeOf(value: unknown, depth = 0): Tree {
  if (depth > DEPTH_MAX) throw new RangeError(`A tree of more than ${DEPTH_MAX} levels.`);
  if (Array.isArray(value)) {
    return { kind: 'list', items: value.map((child) => treeOf(child, depth + 1)) };
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    return {
      kind: 'map',
      entries: entries.map(([key, child]) => [key, treeOf(child, depth + 1)]),
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

/** Stops in the middle once it is longer than `charsMax`: parts that are repeated can grow without end. */
export function jsonOf(tree: Tree, charsMax = Number.POSITIVE_INFINITY): string {
  let text = '';
  const writeJson = (node: Tree): void => {
    if (text.length > charsMax) return;
    if (node.kind === 'raw') text += node.json;
    else if (node.kind === 'leaf') text += JSON.stringify(node.value);
    else if (node.kind === 'list') {
      text += '[';
      for (const [i, item] of node.items.entries()) {
        if (text.length > charsMax) break;
        if (i > 0) text += ',';
        writeJson(item);
      }
      text += ']';
    } else {
      text += '{';
      for (const [i, [key, child]] of node.entries.entries()) {
        if (text.length > charsMax) break;
        text += `${i > 0 ? ',' : ''}${JSON.stringify(key)}:`;
        writeJson(child);
      }
      text += '}';
    }
  };
  writeJson(tree);
  return text;
}

/** Stops as `jsonOf` does. */
export function msgpackOf(tree: Tree, bytesMax = Number.POSITIVE_INFINITY): Uint8Array {
  const parts: Uint8Array[] = [];
  let room = bytesMax;
  const put = (bytes: Uint8Array): void => {
    parts.push(bytes);
    room -= bytes.length;
  };
  const write = (node: Tree): void => {
    if (node.kind === 'raw') put(node.msgpack);
    else if (node.kind === 'leaf') put(leafBytes(node.value));
    else if (node.kind === 'list') {
      put(header(0x90, 0xdc, node.items.length));
      for (const item of node.items) {
        if (room < 0) return;
        write(item);
      }
    } else {
      put(header(0x80, 0xde, node.entries.length));
      for (const [key, child] of node.entries) {
        if (room < 0) return;
        put(textBytes(key));
        write(child);
      }
    }
  };
  write(tree);
  return Buffer.concat(parts);
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
