/** What a `where` may be at most. Generous for people, tight enough that none stalls a worker. */

/** Levels of `all`, `any` and `not`. */
export const FILTER_DEPTH_MAX = 16;
/** Conditions and combinators of one `where`. */
export const FILTER_NODES_MAX = 1_000;
/** Values of one `in`, `notIn` or `containsAll`. */
export const FILTER_LIST_LENGTH_MAX = 10_000;
export const FILTER_TEXT_CHARS_MAX = 8_192;
export const FILTER_PATTERN_CHARS_MAX = 1_000;
/** Instructions of a compiled RE2 pattern: its cost per character of the text, at worst. */
export const FILTER_PATTERN_INSTRUCTIONS_MAX = 2_000;
export const FILTER_PROPERTY_CHARS_MAX = 1_000;
/** Users are spread over this many fixed random buckets. */
export const USER_BUCKET_COUNT = 1_000;
