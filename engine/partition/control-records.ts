/**
 * Control records go to every partition with the same bytes: the partitions of a thread share what
 * the first of them has parsed. So it is frozen, and a function of the bytes all the same.
 */
const RECORDS_MAX = 32;
/** Above this a record is parsed by each partition and not kept. */
const BYTES_MAX = 32 * 1024 * 1024;

interface Parsed {
  readonly bytes: Uint8Array;
  readonly value: unknown;
}

export class ControlRecords {
  #parsed: Parsed[] = [];
  #bytes = 0;
  /** Records that were parsed since the start, for tests. */
  parsed = 0;

  /** @param parse is called when the bytes are not at hand */
  read(bytes: Uint8Array, parse: () => unknown): unknown {
    for (const one of this.#parsed) {
      if (one.bytes.length === bytes.length && Buffer.compare(one.bytes, bytes) === 0) {
        return one.value;
      }
    }
    this.parsed++;
    const value = frozen(parse());
    if (bytes.length <= BYTES_MAX) this.#keep({ bytes: bytes.slice(), value });
    return value;
  }

  #keep(one: Parsed): void {
    this.#parsed.push(one);
    this.#bytes += one.bytes.length;
    let drop = 0;
    while (this.#parsed.length - drop > RECORDS_MAX || this.#bytes > BYTES_MAX) {
      this.#bytes -= this.#parsed[drop++]!.bytes.length;
    }
    this.#parsed.splice(0, drop);
  }
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const one of Object.values(value)) frozen(one);
  return Object.freeze(value);
}
