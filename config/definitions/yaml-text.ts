/**
 * Reads YAML, of which JSON is a part, from people we need not trust: only plain values come out,
 * and it takes time and memory in proportion to the text.
 */
import {
  Composer,
  type CST,
  type Document,
  isScalar,
  Lexer,
  LineCounter,
  Parser,
  Scalar,
  visit,
  YAMLParseError,
  type YAMLWarning,
} from 'yaml';
import { messageOf } from '../../engine/errors/errors.ts';
import { DEFINITION_DEPTH_MAX } from '../limits.ts';
import { WrittenScalar } from './written-scalar.ts';

export type YamlText = { readonly value: unknown } | { readonly refused: string };

export interface YamlOptions {
  /** Whether numbers and booleans are `WrittenScalar`s. @default false: plain values */
  readonly keepsWritten?: boolean;
}

/**
 * @returns the value, or why there is none, to follow "got an error". What an alias stands for is
 *   the same object at each of its places, and may contain itself
 */
export function readYaml(text: string, { keepsWritten = false }: YamlOptions = {}): YamlText {
  const lineCounter = new LineCounter();
  const refusedAt = (at: number, said: string): YamlText => {
    const { line, col } = lineCounter.linePos(at);
    return { refused: ` at line ${line}, column ${col}: ${said}` };
  };
  const tokens = tokensOf(text, lineCounter);
  if ('deepAt' in tokens) {
    return refusedAt(tokens.deepAt, `it is nested more than ${DEFINITION_DEPTH_MAX} deep`);
  }
  const document = documentOf(tokens, text.length);
  // An unknown tag is only a warning to the parser, but it would change what the value means.
  // Only the first error counts, for those after it are mostly its echo.
  const [first] = [...document.errors, ...document.warnings];
  if (first !== undefined) return refusedAt(first.pos[0], saidOf(first));
  const badKey = badKeyIn(document);
  if (badKey !== undefined) return refusedAt(badKey.at, badKey.said);
  keepExact(document, keepsWritten);
  try {
    return { value: document.toJS() as unknown };
  } catch (error) {
    return { refused: `: ${withoutSource(messageOf(error))}` };
  }
}

/** What the parser says in words that are no help. */
const SAID: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'a second document begins',
  NON_STRING_KEY: 'a key must be a plain text',
  TAG_RESOLVE_FAILED: 'a text that begins with ! must be in quotes',
  BAD_DQ_ESCAPE: 'a text in double quotes must have known escape sequences only',
};

function saidOf({ code, message }: YAMLParseError | YAMLWarning): string {
  return SAID[code] ?? withoutSource(message);
}

/** What the parser quotes of the file may be a part of a secret; line and column say where. */
function withoutSource(message: string): string {
  return message.replace(/(?<=\S): .*$/s, '');
}

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
 * The tokens of a text, or the place where a collection is nested deeper than any definition: the
 * parser takes a time that grows with the square of the depth, and the composer calls itself for
 * each level and runs out of stack in places where the runtime can only abort the process.
 */
function tokensOf(
  text: string,
  lineCounter: LineCounter,
): CST.Token[] | { readonly deepAt: number } {
  const tokens: CST.Token[] = [];
  const parser = new Parser(lineCounter.addNewLine);
  lineCounter.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    // What is open: the document, its collections, a value. One more than values may be nested,
    // so that what is too deep by one is refused with its path.
    if (parser.stack.length > DEFINITION_DEPTH_MAX + 4) return { deepAt: parser.offset };
  }
  tokens.push(...parser.end());
  return tokens;
}

const NO_MERGES =
  'merging with << is not supported; write the keys out, or put them under a key with an alias';

function badKeyIn(document: Document): { readonly at: number; readonly said: string } | undefined {
  let bad: { at: number; said: string } | undefined;
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const isMerge = key.value === '<<' && key.type === Scalar.PLAIN;
        if (isMerge || seen.has(key.value)) {
          const said = isMerge ? NO_MERGES : 'Map keys must be unique';
          bad = { at: key.range?.[0] ?? 0, said };
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return bad;
}

/** Puts exact numbers, or scalars as they are written, in place of the parser's doubles. */
function keepExact(document: Document, keepsWritten: boolean): void {
  visit(document, {
    Scalar(key, scalar) {
      const { value, source } = scalar;
      if (key === 'key' || (typeof value !== 'number' && typeof value !== 'boolean')) return;
      const written = new WrittenScalar(value, source ?? String(value));
      scalar.value = keepsWritten ? written : written.value;
    },
  });
}
