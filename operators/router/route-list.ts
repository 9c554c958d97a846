import { compareEdges, type Edge, type Route } from './edge.ts';

/**
 * The edges of one event name, in order. Changes wait until an event asks for the list, which then
 * takes all of them at once: thousands of campaigns that come together are sorted once. A list that
 * was given out is never changed, since an event may be on its way along it.
 */
export class RouteList {
  readonly name: string | undefined;
  #edges: Route = [];
  #added: Edge[] = [];
  #hasGone = false;
  /** This list merged with another one. */
  #merged: { readonly edges: Route; readonly other: Route; readonly both: Route } | undefined;
  /** Edges looked at since the start. */
  steps = 0;

  constructor(name: string | undefined) {
    this.name = name;
  }

  add(edge: Edge): void {
    this.#added.push(edge);
  }

  remove(edge: Edge): void {
    edge.isGone = true;
    this.#hasGone = true;
  }

  edges(): Route {
    if (!this.#hasGone && this.#added.length === 0) return this.#edges;
    this.steps += this.#edges.length + this.#added.length;
    const kept = this.#edges.filter(({ isGone }) => !isGone);
    const added = this.#added.filter(({ isGone }) => !isGone).sort(compareEdges);
    this.#edges = added.length === 0 ? kept : merged(kept, added);
    this.#added = [];
    this.#hasGone = false;
    return this.#edges;
  }

  /** These edges and others, in order. */
  with(other: Route): Route {
    const edges = this.edges();
    if (this.#merged?.edges !== edges || this.#merged.other !== other) {
      this.steps += edges.length + other.length;
      this.#merged = { edges, other, both: merged(edges, other) };
    }
    return this.#merged.both;
  }
}

/** Of equal ones those of `left` first. */
function merged(left: Route, right: Route): Route {
  const both: Edge[] = [];
  let [i, k] = [0, 0];
  while (i < left.length && k < right.length) {
    both.push(compareEdges(left[i]!, right[k]!) <= 0 ? left[i++]! : right[k++]!);
  }
  while (i < left.length) both.push(left[i++]!);
  while (k < right.length) both.push(right[k++]!);
  return both;
}
