/**
 * Control characters, line ends, and marks that turn the direction of writing: in the text of
 * others they could move the cursor of a terminal, rename its window or forge a line of a log.
 */
const INVISIBLE = /[\p{Cc}\u2028\u2029\p{Bidi_Control}]/gu;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text of others as one line that a terminal shows and does not obey: `\n`, `\u001b`. */
export function visibleText(text: string): string {
  return text.replace(
    INVISIBLE,
    (one) => NAMED[one] ?? `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
