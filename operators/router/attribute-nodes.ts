import { compareNodes, type RuleNode } from './rule-nodes.ts';

/** The versions of rules that wait for attributes of profiles, by attribute. */
export class AttributeNodes {
  /** By the first name of a path: a change is told of whole attributes. */
  readonly #byName = new Map<string, Set<RuleNode>>();
  #added: RuleNode[] = [];

  add(node: RuleNode): void {
    const names = namesOf(node);
    for (const name of names) {
      const nodes = this.#byName.get(name);
      if (nodes === undefined) this.#byName.set(name, new Set([node]));
      else nodes.add(node);
    }
    if (names.length > 0) this.#added.push(node);
  }

  remove(node: RuleNode): void {
    for (const name of namesOf(node)) {
      const nodes = this.#byName.get(name);
      nodes?.delete(node);
      if (nodes?.size === 0) this.#byName.delete(name);
    }
  }

  /** Those that wait for any of these attributes, in order of campaign and version. */
  of(names: readonly string[]): readonly RuleNode[] {
    if (this.#byName.size === 0) return NO_NODES;
    const found = new Set<RuleNode>();
    for (const name of names)
      for (const node of this.#byName.get(name) ?? NO_NODES) found.add(node);
    return [...found].sort(compareNodes);
  }

  /** Those that have come since the last call and still wait, in order. */
  takeAdded(): readonly RuleNode[] {
    const added = this.#added.filter(({ isRetired }) => !isRetired).sort(compareNodes);
    this.#added = [];
    return added;
  }
}

const NO_NODES: readonly RuleNode[] = [];

function namesOf({ kind, rule }: RuleNode): readonly string[] {
  return [...new Set((kind.attributes?.(rule) ?? []).map((path) => path.split('.')[0]!))];
}
