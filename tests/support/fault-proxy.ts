/**
 * A TCP proxy on loopback that spoils what passes through it, switchable at any time: a network
 * between two processes that is cut, silent, slow, or ends in the middle of a write.
 *
 *   client ──▶ proxy ──▶ target        port of the proxy stays; faults are those of `fault`
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, Socket } from 'node:net';
import type { Prng } from './prng.ts';

export type Fault =
  | { readonly kind: 'none' }
  /** Nobody listens: new connections are refused; those that stand are reset. */
  | { readonly kind: 'refuse' }
  /** New ones are accepted, and nothing is passed on; what came meanwhile comes after it. */
  | { readonly kind: 'blackhole' }
  /** Each piece is held back up to so long, in order. */
  | { readonly kind: 'delay'; readonly msMax: number }
  /** Each way of each connection. */
  | { readonly kind: 'throttle'; readonly bytesPerSecond: number }
  /** Each connection ends in the middle of a write, after at most so many bytes of one way. */
  | { readonly kind: 'halve'; readonly bytesMax: number };

export type CutKind = 'reset' | 'end';

const SLICE_MS = 20;

export class FaultProxy {
  readonly #targetPort: number;
  readonly #prng: Prng;
  readonly #links = new Set<Link>();
  #server: Server | undefined;
  #port = 0;
  #fault: Fault = { kind: 'none' };
  #healed: () => void = () => {};
  #healing: Promise<void> = Promise.resolve();
  /** Connections that it has ended, by a cut or in the middle of a write. */
  cuts = 0;
  /** What came to it while it was at fault. */
  struck = 0;
  /** Connections that it has taken. */
  connections = 0;

  private constructor(targetPort: number, prng: Prng) {
    this.#targetPort = targetPort;
    this.#prng = prng;
  }

  /** @param port what it listens on; absent: any that is free */
  static async start(targetPort: number, prng: Prng, port = 0): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort, prng);
    await proxy.#listen(port);
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  get fault(): Fault {
    return this.#fault;
  }

  get prng(): Prng {
    return this.#prng;
  }

  /** Resolves once it holds for connections that stand and those to come. */
  async become(fault: Fault): Promise<void> {
    const isSilent = fault.kind === 'blackhole';
    if (isSilent && this.#fault.kind !== 'blackhole') {
      this.#healing = new Promise((resolve) => {
        this.#healed = resolve;
      });
    }
    this.#fault = fault;
    for (const link of this.#links) link.halveAnew();
    if (!isSilent) this.#healed();
    if (fault.kind === 'refuse') {
      this.cut('reset');
      await this.#unlisten();
    } else if (this.#server === undefined) await this.#listen(this.#port);
  }

  heal(): Promise<void> {
    return this.become({ kind: 'none' });
  }

  /** Ends all connections that stand. */
  cut(kind: CutKind): void {
    for (const link of this.#links) {
      this.cuts++;
      link.cut(kind);
    }
  }

  async stop(): Promise<void> {
    await this.#unlisten();
    for (const link of this.#links) link.cut('reset');
    this.#healed();
  }

  /** While it is silent: when it no longer is. */
  whenHeard(): Promise<void> {
    return this.#healing;
  }

  async #listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.connections++;
      const link: Link = new Link(this, client, this.#targetPort, () => this.#links.delete(link));
      this.#links.add(link);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  async #unlisten(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const link of this.#links) link.cut('reset');
    await closed;
  }
}

/** One connection of a client with its other half. */
class Link {
  readonly #proxy: FaultProxy;
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #ended: Promise<void>;
  /** Bytes that may still pass before it is halved. */
  #bytesLeft = Number.POSITIVE_INFINITY;
  #isCut = false;

  constructor(proxy: FaultProxy, client: Socket, targetPort: number, onEnd: () => void) {
    this.#proxy = proxy;
    this.#client = client;
    this.#target = new Socket({ allowHalfOpen: true });
    this.#target.setNoDelay(true);
    this.halveAnew();
    // Whatever ends one half ends the other; both tell, and errors are only another way to end.
    const closed = [this.#client, this.#target].map((socket) => {
      socket.on('error', () => this.cut('reset'));
      return new Promise<void>((resolve) => socket.once('close', () => resolve()));
    });
    this.#ended = Promise.race(closed);
    void Promise.all(closed).then(onEnd);
    void this.#run(targetPort);
  }

  /** Chooses where it is cut, if it is to be. */
  halveAnew(): void {
    const { fault, prng } = this.#proxy;
    this.#bytesLeft =
      fault.kind === 'halve' ? 1 + prng.below(fault.bytesMax) : Number.POSITIVE_INFINITY;
  }

  cut(kind: CutKind): void {
    this.#isCut = true;
    for (const socket of [this.#client, this.#target]) {
      if (kind === 'reset' && !socket.connecting) socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  async #run(targetPort: number): Promise<void> {
    await this.#heard();
    if (this.#isCut) return;
    this.#target.connect(targetPort, '127.0.0.1');
    await Promise.all([
      this.#pass(this.#client, this.#target),
      this.#pass(this.#target, this.#client),
    ]);
  }

  async #pass(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from) await this.#piece(chunk as Buffer, to);
      await this.#heard();
      to.end();
    } catch {
      this.cut('reset');
    }
  }

  async #piece(chunk: Buffer, to: Socket): Promise<void> {
    const { fault, prng } = this.#proxy;
    if (fault.kind !== 'none') this.#proxy.struck++;
    if (fault.kind === 'delay') await this.#pause(prng.below(fault.msMax + 1));
    await this.#heard();
    if (this.#isCut) return;
    if (fault.kind === 'throttle') await this.#slowly(chunk, fault.bytesPerSecond, to);
    else if (chunk.length >= this.#bytesLeft) await this.#halve(chunk, to);
    else {
      this.#bytesLeft -= chunk.length;
      await this.#write(chunk, to);
    }
  }

  async #slowly(chunk: Buffer, bytesPerSecond: number, to: Socket): Promise<void> {
    const slice = Math.max(1, Math.ceil((bytesPerSecond * SLICE_MS) / 1_000));
    for (let at = 0; at < chunk.length && !this.#isCut; at += slice) {
      await this.#write(chunk.subarray(at, at + slice), to);
      // Healed in the middle of it: the rest goes at once.
      if (this.#proxy.fault.kind === 'throttle') await this.#pause(SLICE_MS);
    }
  }

  async #halve(chunk: Buffer, to: Socket): Promise<void> {
    const part = chunk.subarray(0, this.#bytesLeft);
    this.#proxy.cuts++;
    await new Promise<void>((resolve) => {
      to.write(part, () => resolve());
      void this.#ended.then(resolve);
    });
    this.cut(this.#proxy.prng.pick(['reset', 'end']));
  }

  async #write(chunk: Buffer, to: Socket): Promise<void> {
    if (to.destroyed || to.write(chunk)) return;
    const drained = new Promise<void>((resolve) => to.once('drain', () => resolve()));
    await Promise.race([drained, this.#ended]);
  }

  async #heard(): Promise<void> {
    while (this.#proxy.fault.kind === 'blackhole' && !this.#isCut) {
      await Promise.race([this.#proxy.whenHeard(), this.#ended]);
      if (this.#client.destroyed || this.#target.destroyed) return;
    }
  }

  async #pause(ms: number): Promise<void> {
    await Promise.race([new Promise((resolve) => setTimeout(resolve, ms)), this.#ended]);
  }
}
