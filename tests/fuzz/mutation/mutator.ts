import { parse } from 'yaml';
import { decodeMsgpack } from '../../../connectors/events/msgpack-values.ts';
import { Prng } from '../../support/prng.ts';
import type { Format } from '../target.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { mutateTree } from './mutate-tree.ts';
import { NASTY_NAMES, NASTY_VALUES, YAML_WORDS } from './nasty.ts';
import { jsonOf, msgpackOf, type Tree, treeOf } from './tree.ts';

/** An input is cut off here: larger ones only take longer. */
const INPUT_BYTES_MAX = 64 * 1024;
const SCALE = 0x9e3779b1;

/** Makes inputs of a target: the n-th of a seed is always the same. */
export class Mutator {
  readonly #format: Format;
  readonly #bases: readonly Uint8Array[];
  /** The first lines of bases that begin with `#`: they tell the runner what to do with the rest. */
  readonly #heads: readonly Uint8Array[];
  readonly #trees: readonly (Tree | undefined)[];
  readonly #others: readonly Tree[];
  readonly #words: readonly string[];
  readonly #wordBytes: readonly Uint8Array[];

  /** @param bases seeds and corpus, in an order that does not change */
  constructor(format: Format, bases: readonly Uint8Array[], words: readonly string[]) {
    this.#format = format;
    this.#bases = bases;
    this.#heads = bases.map((base) => base.subarray(0, headLength(base)));
    this.#trees = bases.map((base) => treeIn(base.subarray(headLength(base)), format));
    const trees = this.#trees.filter((tree) => tree !== undefined);
    this.#others = trees.length > 0 ? trees : [treeOf(null)];
    this.#words = words;
    const values = NASTY_VALUES.filter(({ json }) => json.length < 64);
    this.#wordBytes = [
      ...[...words, ...NASTY_NAMES].map((word) => Buffer.from(word)),
      ...(format === 'yaml' ? YAML_WORDS : []).map((word) => Buffer.from(word)),
      ...values.map(({ json, msgpack }) => (format === 'msgpack' ? msgpack : Buffer.from(json))),
    ];
  }

  /** The n-th input of a seed. */
  input(seed: number, n: number): Uint8Array {
    const prng = new Prng(Math.imul(seed ^ Math.imul(n + 1, SCALE), 0x85ebca6b));
    const at = prng.below(this.#bases.length);
    const tree = this.#trees[at];
    let bytes: Uint8Array = this.#bases[at]!;
    const isStructural = tree !== undefined && prng.chance(0.6);
    if (isStructural) {
      const changed = mutateTree(tree, prng, { others: this.#others, words: this.#words });
      const body =
        this.#format === 'msgpack'
          ? msgpackOf(changed, INPUT_BYTES_MAX)
          : Buffer.from(jsonOf(changed, INPUT_BYTES_MAX));
      const head = prng.chance(0.8) ? this.#heads[at]! : prng.pick(this.#heads);
      bytes = head.length === 0 ? body : Buffer.concat([head, body]);
    }
    if (!isStructural || prng.chance(0.15)) {
      bytes = mutateBytes(bytes, prng, { others: this.#bases, words: this.#wordBytes });
    }
    return bytes.length > INPUT_BYTES_MAX ? bytes.subarray(0, INPUT_BYTES_MAX) : bytes;
  }
}

/** Bytes of the line that begins with `#`, 0 without one. */
export function headLength(input: Uint8Array): number {
  if (input[0] !== 0x23) return 0;
  const end = input.indexOf(0x0a);
  return end < 0 ? input.length : end + 1;
}

function treeIn(base: Uint8Array, format: Format): Tree | undefined {
  if (format === 'bytes') return undefined;
  try {
    if (format === 'msgpack') return treeOf(decodeMsgpack(base, []));
    const text = Buffer.from(base).toString();
    return treeOf(format === 'json' ? JSON.parse(text) : parse(text, { logLevel: 'silent' }));
  } catch {
    // A base that is broken on purpose is mutated by its bytes only.
    return undefined;
  }
}
