/**
 * Reads YAML, of which JSON is a part, from people we need not trust: only plain values come out,
 * and it takes time and memory in proportion to the text.
 */
import {
  Composer,
  type CST,
  type Document,
  isScalar,
  LineCounter,
  Parser,
  visit,
  YAMLParseError,
} from 'yaml';
import { messageOf } from '../../engine/errors.ts';
import { DEFINITION_DEPTH_MAX } from '../limits.ts';

export type YamlText = { readonly value: unknown } | { readonly refused: string };

/**
 * @returns the value, or why there is none, to follow "got an error". What an alias stands for is
 *   the same object at each of its places, and may contain itself
 */
export function readYaml(text: string): YamlText {
  const lineCounter = new LineCounter();
  const tokens = [...new Parser(lineCounter.addNewLine).parse(text)];
  const refusedAt = (at: number, said: string): YamlText => {
    const { line, col } = lineCounter.linePos(at);
    return { refused: ` at line ${line}, column ${col}: ${said}` };
  };
  const deepAt = tooDeepAt(tokens);
  if (deepAt !== undefined) {
    return refusedAt(deepAt, `it is nested more than ${DEFINITION_DEPTH_MAX} deep`);
  }
  const document = documentOf(tokens, text.length);
  // An unknown tag is only a warning to the parser, but it would change what the value means.
  // Only the first error counts, for those after it are mostly its echo.
  const [first] = [...document.errors, ...document.warnings];
  if (first !== undefined) return refusedAt(first.pos[0], SAID[first.code] ?? first.message);
  const repeatedAt = repeatedKeyAt(document);
  if (repeatedAt !== undefined) return refusedAt(repeatedAt, 'Map keys must be unique');
  try {
    return { value: document.toJS() as unknown };
  } catch (error) {
    return { refused: `: ${messageOf(error)}` };
  }
}

/** What the parser says in words that are no help. */
const SAID: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'a second document begins',
  NON_STRING_KEY: 'a key must be a plain text',
};

function documentOf(tokens: readonly CST.Token[], length: number): Document.Parsed {
  const composer = new Composer({
    prettyErrors: false,
    // Whatever `%YAML` says: no dates, no sets, no keys that are merged.
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    stringKeys: true,
    // The parser compares each key with each other; `repeatedKeyAt` looks them up.
    uniqueKeys: false,
  });
  let document: Document.Parsed | undefined;
  for (const one of composer.compose(tokens, true, length)) {
    if (document === undefined) document = one;
    else {
      const [at] = one.range;
      document.errors.push(new YAMLParseError([at, at], 'MULTIPLE_DOCS', ''));
      break;
    }
  }
  // Forced, the composer gives one even for an empty text.
  return document!;
}

/**
 * Where a collection is nested deeper than any definition. The composer calls itself for each
 * level, and runs out of stack in places where the runtime can only abort the process.
 */
function tooDeepAt(tokens: readonly CST.Token[]): number | undefined {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [];
  const push = (token: CST.Token | null | undefined, depth: number) => {
    if (token != null) open.push({ token, depth });
  };
  for (const token of tokens) push(token, 0);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (token.type === 'document') push(token.value, depth);
    if (!('items' in token)) continue;
    // One more than values may be, so that what is too deep by one is refused with its path.
    if (depth > DEFINITION_DEPTH_MAX + 1) return token.offset;
    for (const { key, value } of token.items as CST.CollectionItem[]) {
      push(key, depth + 1);
      push(value, depth + 1);
    }
  }
  return undefined;
}

function repeatedKeyAt(document: Document): number | undefined {
  let at: number | undefined;
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          at = key.range?.[0] ?? 0;
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return at;
}
