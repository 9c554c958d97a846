/** The ranges of `engines.node` as npm reads them, as far as packages use them. */

export type Version = readonly [major: number, minor: number, patch: number];

const COMPARATOR = /^(>=|<=|>|<|=|\^|~)?v?(\d+|[x*])(?:\.(\d+|[x*]))?(?:\.(\d+|[x*]))?$/;

/** @throws Error on a range that it cannot read */
export function admits(range: string, version: Version): boolean {
  return range.split('||').some((part) => {
    const comparators = part.trim().replace(/([<>=^~]) +/g, '$1');
    return comparators.split(/\s+/).every((one) => one === '' || holds(one, version));
  });
}

function holds(comparator: string, version: Version): boolean {
  const found = COMPARATOR.exec(comparator);
  if (found === null) throw new Error(`A range must be of known forms, got ${comparator}`);
  const [, operator = '', ...texts] = found;
  const parts = texts.map((text) => (/^\d+$/.test(text ?? '') ? Number(text) : undefined));
  const [major, minor, patch] = parts;
  if (major === undefined) return true;
  const least: Version = [major, minor ?? 0, patch ?? 0];
  const order = compare(version, least);
  // The first version after all that a form with open parts stands for.
  const after = (depth: number): Version =>
    depth === 0 ? [major + 1, 0, 0] : [major, (minor ?? 0) + 1, 0];
  const isBefore = (end: Version) => compare(version, end) < 0;
  const openDepth = minor === undefined ? 0 : 1;
  switch (operator) {
    case '>=':
      return order >= 0;
    case '<':
      return order < 0;
    case '>':
      return patch === undefined ? !isBefore(after(openDepth)) : order > 0;
    case '<=':
      return patch === undefined ? isBefore(after(openDepth)) : order <= 0;
    case '^':
      return order >= 0 && isBefore(after(0));
    case '~':
      return order >= 0 && isBefore(after(openDepth));
    default:
      return patch === undefined ? order >= 0 && isBefore(after(openDepth)) : order === 0;
  }
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
