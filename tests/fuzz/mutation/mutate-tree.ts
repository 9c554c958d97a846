import type { Prng } from '../../support/prng.ts';
import { NASTY_NAMES, NASTY_VALUES } from './nasty.ts';
import { copyOf, type Tree } from './tree.ts';

/** A place in a tree: a value that can be replaced, and the collection that holds it. */
interface Place {
  readonly holder: Extract<Tree, { kind: 'map' | 'list' }>;
  readonly at: number;
}

const CHANGES_MAX = 3;
/** Beyond what each limit allows; the large ones are rare, for they take longest. */
const REPEATS = [2, 2, 2, 3, 3, 3, 26, 26, 257, 2_501];
const WRAPS = [1, 2, 8, 9, 65];

/**
 * A changed copy.
 * @param others trees to take parts of
 * @param words texts that mean something to the decoder, as values and as names
 */
export function mutateTree(
  tree: Tree,
  prng: Prng,
  { others, words }: { readonly others: readonly Tree[]; readonly words: readonly string[] },
): Tree {
  // The root is held too, so that it can be replaced like anything else.
  const root: Extract<Tree, { kind: 'list' }> = { kind: 'list', items: [copyOf(tree)] };
  const changes = 1 + prng.below(CHANGES_MAX);
  for (let i = 0; i < changes; i++) {
    const places = placesOf(root);
    change(prng.pick(places), prng, others, words);
    if (root.items.length === 0) root.items.push(prng.pick(NASTY_VALUES));
  }
  return root.items[0]!;
}

function placesOf(root: Extract<Tree, { kind: 'map' | 'list' }>): Place[] {
  const places: Place[] = [];
  const visit = (holder: Extract<Tree, { kind: 'map' | 'list' }>): void => {
    const children =
      holder.kind === 'list' ? holder.items : holder.entries.map(([, child]) => child);
    for (const [at, child] of children.entries()) {
      places.push({ holder, at });
      if (places.length > 2_000) return;
      if (child.kind === 'map' || child.kind === 'list') visit(child);
    }
  };
  visit(root);
  return places;
}

function valueAt({ holder, at }: Place): Tree {
  return holder.kind === 'list' ? holder.items[at]! : holder.entries[at]![1];
}

function setAt({ holder, at }: Place, value: Tree): void {
  if (holder.kind === 'list') holder.items[at] = value;
  else holder.entries[at]![1] = value;
}

function change(place: Place, prng: Prng, others: readonly Tree[], words: readonly string[]): void {
  const { holder, at } = place;
  switch (prng.below(10)) {
    case 0:
      if (holder.kind === 'list') holder.items.splice(at, 1);
      else holder.entries.splice(at, 1);
      return;
    case 1: {
      const times = prng.pick(REPEATS);
      if (holder.kind === 'list') {
        holder.items.push(...new Array<Tree>(times).fill(holder.items[at]!));
      } else {
        const [name, value] = holder.entries[at]!;
        const isSame = prng.chance(0.3);
        for (let i = 0; i < times; i++) holder.entries.push([isSame ? name : `${name}${i}`, value]);
      }
      return;
    }
    case 2:
      if (holder.kind === 'map') holder.entries[at]![0] = someName(prng, words);
      return;
    case 3:
      if (holder.kind === 'map')
        holder.entries.push([someName(prng, words), someValue(prng, others, words)]);
      else holder.items.push(someValue(prng, others, words));
      return;
    case 4: {
      let wrapped = valueAt(place);
      const isList = prng.chance(0.5);
      for (let depth = prng.pick(WRAPS); depth > 0; depth--) {
        wrapped = isList
          ? { kind: 'list', items: [wrapped] }
          : { kind: 'map', entries: [[prng.chance(0.1) ? someName(prng, words) : 'a', wrapped]] };
      }
      setAt(place, wrapped);
      return;
    }
    default:
      setAt(place, someValue(prng, others, words));
  }
}

function someName(prng: Prng, words: readonly string[]): string {
  return words.length > 0 && prng.chance(0.5) ? prng.pick(words) : prng.pick(NASTY_NAMES);
}

function someValue(prng: Prng, others: readonly Tree[], words: readonly string[]): Tree {
  const draw = prng.next();
  if (draw < 0.5) return prng.pick(NASTY_VALUES);
  if (draw < 0.65) return { kind: 'leaf', value: someName(prng, words) };
  if (draw < 0.75) return { kind: 'leaf', value: someNumber(prng) };
  if (draw < 0.8) return { kind: 'leaf', value: prng.pick([true, false, null]) };
  const other = prng.pick(others);
  const root: Tree = { kind: 'list', items: [other] };
  return copyOf(valueAt(prng.pick(placesOf(root))));
}

function someNumber(prng: Prng): number {
  const magnitude = 2 ** prng.below(64) * prng.next();
  return (prng.chance(0.5) ? Math.floor(magnitude) : magnitude) * (prng.chance(0.2) ? -1 : 1);
}
