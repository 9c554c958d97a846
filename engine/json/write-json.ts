/** Writes what `parseJson` reads: large whole numbers with every digit. */

/**
 * As `JSON.stringify` of plain data (objects, arrays, texts, numbers, bigints, booleans, null), and
 * just as fast when it holds no bigint.
 */
export function writeJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // Plain data makes it throw for one reason only: that there is a bigint.
    if (!(error instanceof TypeError)) throw error;
    return written(value);
  }
}

function written(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(written).join()}]`;
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${written(member)}`);
  }
  return `{${members.join()}}`;
}
