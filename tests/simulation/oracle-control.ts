/** Control groups as docs/testing/simulation.md writes them down: a hash of salt and user (E30). */

function hashOf(text: string): number {
  // FNV-1a of the bytes, then the finish of murmur3.
  let x = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) x = Math.imul(x ^ byte, 0x01000193);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A larger share has all users of a smaller one. */
export function isInGroup(salt: string, user: string, percent: number): boolean {
  return hashOf(`${salt}\n${user}`) % 10_000 < percent * 100;
}
