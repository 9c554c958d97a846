import { emptyKey, type Key, rehash } from '../../engine/state/key.ts';
import type { RuleNode } from '../router/rule-nodes.ts';
import type { Scope } from '../router/scope.ts';

/** Tells the rules that wait for attributes that some of a user's have been set or cleared. */
export function hearAttributes(scope: Scope, key: Key, names: readonly string[]): void {
  for (const node of scope.book.attributeNodes.of(names)) hear(scope, key, node);
}

/**
 * A rule that waits for attributes has been published: what profiles hold already is seen for the
 * first time now. Walks all profiles of the partition.
 */
export function hearProfiles(scope: Scope, node: RuleNode): void {
  const stored = emptyKey();
  for (const _ of scope.state.profiles.keys(stored)) {
    // In bytes of its own: what the rule stores may move those of the arena.
    const bytes = stored.bytes.slice(stored.start, stored.start + stored.length);
    const key = { ...stored, bytes, start: 0 };
    rehash(key);
    hear(scope, key, node);
  }
}

function hear(scope: Scope, key: Key, node: RuleNode): void {
  scope.useRule(node, key);
  scope.entry = scope.book.entryFor(node.campaignId);
  scope.mayOpen = scope.book.isOpen(node);
  node.kind.onAttribute!(scope);
}
