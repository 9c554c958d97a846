import type { Socket } from 'node:net';

/** A head of an informational answer that is longer is nothing that a receiver sends. */
const HEAD_BYTES_MAX = 16 * 1024;
/** How an informational answer begins; `d` is any digit. */
const STATUS_LINE = Buffer.from('HTTP/1.d 1dd');
const [ANY_DIGIT, DIGIT_0, DIGIT_9] = [0x64, 0x30, 0x39];
const HEAD_END = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);

/**
 * One connection to a receiver, between the socket and undici's parser. It takes informational
 * answers (1xx) out of what comes in: undici destroys a connection on a `100 Continue` that nobody
 * asked for, and some servers send one before every answer. And it knows of the request on it
 * whether it was the first one, whether anything came back, and with which status.
 *
 *   socket ─▶ read() ─▶ wire: drops 1xx ─▶ undici's parser ─▶ exchange
 *
 * undici reads with `read()`, writes a whole request in one turn, and has one under way at a time:
 * what is read after a write belongs to that request's answer.
 */
export class Wire {
  #requests = 0;
  /** Of the answer under way: what came before it shows what it is. */
  #held: Buffer = NOTHING;
  #isDecided = true;
  #hasBytes = false;
  /** The first bytes of the answer under way, for the case that the parser refuses them. */
  #head: Buffer | undefined;

  /** True when a request before this one was answered on the same connection. */
  get isReused(): boolean {
    return this.#requests > 1;
  }

  /** Whether a byte of an answer has come since the request was written. */
  get hasBytes(): boolean {
    return this.#hasBytes;
  }

  /** The status of a final head that came whole, even if its headers make no sense; or undefined. */
  finalStatus(): number | undefined {
    const head = this.#head;
    if (head === undefined || !head.includes(HEAD_END)) return undefined;
    const line = /^HTTP\/1\.\d ([2-5]\d\d)[ \r]/.exec(
      head.toString('latin1', 0, STATUS_LINE.length + 1),
    );
    return line === null ? undefined : Number(line[1]);
  }

  /** A request is about to be written. */
  begin(): void {
    this.#requests++;
    this.#isDecided = false;
    this.#hasBytes = false;
    this.#held = NOTHING;
    this.#head = undefined;
  }

  /** The answer is over: its bytes are let go. */
  end(): void {
    this.#head = undefined;
  }

  /** Bytes that came in, without informational answers; empty when there is none left for now. */
  filter(chunk: Buffer): Buffer {
    this.#hasBytes = true;
    if (this.#isDecided) return chunk;
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (mayBeInformational(rest)) {
      const end = rest.indexOf(HEAD_END);
      if (end < 0) {
        if (rest.length > HEAD_BYTES_MAX) break;
        this.#held = rest;
        return NOTHING;
      }
      rest = rest.subarray(end + HEAD_END.length);
    }
    this.#isDecided = true;
    this.#held = NOTHING;
    this.#head = rest;
    return rest;
  }
}

/** Whether it begins with `HTTP/1.x 1xx`, as far as it goes. */
function mayBeInformational(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, STATUS_LINE.length);
  for (let i = 0; i < length; i++) {
    const wanted = STATUS_LINE[i]!;
    const byte = bytes[i]!;
    const isFit = wanted === ANY_DIGIT ? byte >= DIGIT_0 && byte <= DIGIT_9 : byte === wanted;
    if (!isFit) return false;
  }
  return true;
}

/**
 * Puts a wire between a socket and whoever reads from it.
 * @param onWrite called before something is written; it begins a request on the wire, or not
 */
export function putWire(socket: Socket, wire: Wire, onWrite: (wire: Wire) => void): void {
  const { read, write } = socket;
  socket.read = (bytes?: number) => {
    for (;;) {
      const chunk: Buffer | null = read.call(socket, bytes);
      if (chunk === null) return null;
      const shown = wire.filter(chunk);
      if (shown.length > 0) return shown;
    }
  };
  socket.write = ((...args: Parameters<typeof write>) => {
    onWrite(wire);
    return write.apply(socket, args);
  }) as typeof write;
}
