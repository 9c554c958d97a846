/** The words of error sentences: what came, where it stood, what may have been meant. */

const TEXT_CHARS_MAX = 80;

/** What came, for the end of a sentence: `"soon"`, `12`, `a list of 3`, `nothing`. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') {
    const shown = withoutPassword(value);
    const isLong = shown.length > TEXT_CHARS_MAX;
    return isLong
      ? `${JSON.stringify(shown.slice(0, TEXT_CHARS_MAX))}… (${value.length} characters)`
      : JSON.stringify(shown);
  }
  if (Array.isArray(value))
    return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return describeMapping(value);
  return String(value);
}

/** Hides user names and passwords of URLs, of several in a list too, whole or not. */
export function withoutPassword(text: string): string {
  if (!text.includes('@')) return text;
  return text.replace(/\/\/.*@/gs, '//***@').replace(/^[^\s/@:]+:[^/].*@/s, '***@');
}

function describeMapping(value: object): string {
  const keys = Object.keys(value);
  if (keys.length === 0) return 'an empty mapping';
  const shown = keys.slice(0, 3).map((key) => {
    const short = key.length > 20 ? `${key.slice(0, 20)}…` : key;
    return /^[\w$ …-]+$/.test(short) ? short : JSON.stringify(short);
  });
  return `a mapping of ${shown.join(', ')}${keys.length > 3 ? ', …' : ''}`;
}

/** `path.key`, `path[3]`, or `path["odd key"]`. */
export function joinPath(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  if (!/^[\w$-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** The known word that was probably meant, if any is near: one edit in three letters or so. */
export function nearestOf(word: string, known: Iterable<string>): string | undefined {
  if (word.length > TEXT_CHARS_MAX) return undefined;
  const lower = word.toLowerCase();
  let nearest: string | undefined;
  let least = Math.min(3, Math.ceil(word.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const edits = editsBetween(lower, candidate.toLowerCase());
    if (edits < least) {
      least = edits;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Levenshtein distance with swaps of neighbours (optimal string alignment). */
function editsBetween(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let edits = Math.min(change, last[j]! + 1, row[j - 1]! + 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) edits = Math.min(edits, before[j - 2]! + 1);
      row.push(edits);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
