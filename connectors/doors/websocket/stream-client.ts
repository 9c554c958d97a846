/**
 * One client of the streaming door. Frames are taken in their order and acknowledged when their
 * events are durable, so acknowledgements may overtake one another. A client may send on without
 * waiting for them: when too much of it is on its way, or it does not read them, it is not read.
 */
import type { WebSocket } from 'ws';

/** Frames of a client that are received and not acknowledged. */
const FRAMES_MAX = 64;
const FRAME_BYTES_MAX = 2 ** 20;
/** Acknowledgements that the client has not read. */
const UNREAD_BYTES_MAX = 256 * 1024;
/** Sweeps are a second apart. */
const PING_SWEEPS = 20;
const SILENT_SWEEPS_MAX = 60;
const RETRY_MS = 50;

/** What the door does for a client. */
export interface StreamDoor {
  /** Whether a frame can be taken now. */
  readonly isOpen: boolean;
  /** Calls back once after a while. */
  later(ms: number, callback: () => void): void;
  /**
   * Takes a frame in its turn. `taken` resolves when its events are with the intake, and with what
   * resolves when they are durable: the acknowledgement.
   */
  take(client: StreamClient, frame: Frame): Promise<{ readonly answer: Promise<object> }>;
}

export interface Frame {
  /** Counted from 1, or from what the client said. */
  readonly number: number;
  readonly bytes: Buffer;
}

export class StreamClient {
  readonly address: string;
  readonly session: string;
  readonly #socket: WebSocket;
  readonly #bytesRead: () => number;
  readonly #door: StreamDoor;
  readonly #waiting: Frame[] = [];
  #nextNumber: number;
  #isTaking = false;
  #isEnding = false;
  #framesOnTheWay = 0;
  #bytesOnTheWay = 0;
  #bytesReadAtFrame: number;
  #silentSweeps = 0;

  constructor(options: {
    readonly socket: WebSocket;
    /** Bytes that have come over the connection so far. */
    readonly bytesRead: () => number;
    readonly door: StreamDoor;
    readonly address: string;
    /** Names frames, also those that come again over another connection. */
    readonly session: string;
    readonly firstNumber: number;
  }) {
    this.#socket = options.socket;
    this.#bytesRead = options.bytesRead;
    this.#door = options.door;
    this.address = options.address;
    this.session = options.session;
    this.#nextNumber = options.firstNumber;
    this.#bytesReadAtFrame = options.bytesRead();
    this.#socket.on('message', (data) => this.#received(data as Buffer));
    this.#socket.on('pong', () => {
      this.#silentSweeps = 0;
    });
    // A frame that breaks the protocol ends the connection; `close` follows.
    this.#socket.on('error', () => undefined);
  }

  /** Bytes of a frame that has begun and is not whole. */
  get unfinishedBytes(): number {
    return this.#bytesRead() - this.#bytesReadAtFrame;
  }

  /** Frames whose acknowledgement is owed. */
  get framesOnTheWay(): number {
    return this.#framesOnTheWay - this.#waiting.length;
  }

  /** @returns false when the client has been silent for too long */
  swept(): boolean {
    // Nobody can be heard who is not read for our own sake.
    if (this.#socket.isPaused && !this.#isUnread) return true;
    if (++this.#silentSweeps >= SILENT_SWEEPS_MAX) return false;
    if (this.#silentSweeps % PING_SWEEPS === 0) this.#socket.ping();
    return true;
  }

  /** Takes nothing more. */
  end(): void {
    this.#isEnding = true;
    this.#socket.pause();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Says goodbye; what was not acknowledged is to be sent again. */
  close(code: number, reason: string): void {
    // A paused socket would not hear the client's own goodbye.
    this.#socket.resume();
    this.#socket.close(code, reason);
  }

  get #isUnread(): boolean {
    return this.#socket.bufferedAmount > UNREAD_BYTES_MAX;
  }

  #received(bytes: Buffer): void {
    this.#silentSweeps = 0;
    this.#bytesReadAtFrame = this.#bytesRead();
    if (this.#isEnding) return;
    this.#waiting.push({ number: this.#nextNumber++, bytes });
    this.#framesOnTheWay++;
    this.#bytesOnTheWay += bytes.length;
    if (this.#framesOnTheWay >= FRAMES_MAX || this.#bytesOnTheWay >= FRAME_BYTES_MAX) {
      this.#socket.pause();
    }
    if (!this.#isTaking) void this.#takeAll();
  }

  async #takeAll(): Promise<void> {
    this.#isTaking = true;
    while (this.#waiting.length > 0 && !this.#isEnding) {
      if (!this.#door.isOpen || this.#isUnread) {
        this.#socket.pause();
        await new Promise<void>((resolve) => this.#door.later(RETRY_MS, resolve));
        continue;
      }
      const frame = this.#waiting.shift()!;
      const { answer } = await this.#door.take(this, frame);
      void answer.then((sentence) => this.#answer(frame, sentence));
    }
    this.#isTaking = false;
    this.#readOn();
  }

  #answer({ bytes }: Frame, sentence: object): void {
    this.#framesOnTheWay--;
    this.#bytesOnTheWay -= bytes.length;
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(sentence));
    this.#readOn();
  }

  #readOn(): void {
    if (this.#isEnding || this.#isUnread || this.#isTaking) return;
    if (this.#framesOnTheWay > FRAMES_MAX / 2 || this.#bytesOnTheWay > FRAME_BYTES_MAX / 2) return;
    this.#socket.resume();
  }
}
