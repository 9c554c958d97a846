/** What a run did, line by line; a hash always, the lines themselves when asked for. */
export class Trace {
  readonly lines: string[] = [];
  readonly #isKept: boolean;
  #low = 0x811c9dc5;
  #high = 0xcbf29ce4;

  constructor(isKept: boolean) {
    this.#isKept = isKept;
  }

  add(atMs: number, who: string, what: string): void {
    const line = `${(atMs / 1_000).toFixed(6)} ${who} ${what}`;
    for (let i = 0; i < line.length; i++) {
      const code = line.charCodeAt(i);
      this.#low = Math.imul(this.#low ^ code, 0x01000193);
      this.#high = Math.imul(this.#high ^ code, 0x01000197) + 1;
    }
    if (this.#isKept) this.lines.push(line);
  }

  get hash(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0');
    return hex(this.#high) + hex(this.#low);
  }
}
