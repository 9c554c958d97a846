/**
 * The tree of a `where`, as parsed: plain data, so that it travels in control records and equal
 * trees are one text.
 */
export type Filter =
  | { readonly all: readonly Filter[] }
  | { readonly any: readonly Filter[] }
  | { readonly not: Filter }
  | Condition;

export type Operator =
  | 'eq'
  | 'ne'
  | 'in'
  | 'notIn'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'
  | 'between'
  | 'contains'
  | 'notContains'
  | 'startsWith'
  | 'endsWith'
  | 'matches'
  | 'exists'
  | 'before'
  | 'after'
  | 'on'
  | 'inLast'
  | 'inNext'
  | 'exactlyAgo'
  | 'containsAll'
  | 'isTrue'
  | 'isFalse'
  | 'bucket';

export interface Condition {
  /** `a.b` reaches inside; kept as written. Empty for `bucket`. */
  readonly property: string;
  readonly op: Operator;
  /** As written in the definition (JSON); large whole numbers as in `stored-value.ts`. */
  readonly value: unknown;
  /** Strings compare without regard to case. */
  readonly i?: true;
}
