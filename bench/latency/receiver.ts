/** A process with a bare HTTP server that notes when requests arrive and for whom they are. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monotonicMs } from '../harness/wall-clock.ts';

export type FromReceiver =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'arrivals'; readonly arrivals: readonly Arrival[] };

/** `monotonicMs` at which the head of the request was there, and the users in its body. */
export type Arrival = readonly [atMs: number, users: readonly string[]];

export type ToReceiver = 'count' | 'report' | 'close';

interface Noted {
  readonly atMs: number;
  readonly chunks: Buffer[];
}

let noted: Noted[] = [];

const server = createServer((request, response) => {
  const one: Noted = { atMs: monotonicMs(), chunks: [] };
  noted.push(one);
  request.on('data', (chunk: Buffer) => one.chunks.push(chunk));
  request.on('end', () => response.end());
});

function arrivalOf({ atMs, chunks }: Noted): Arrival {
  const body = JSON.parse(Buffer.concat(chunks).toString()) as {
    readonly profiles: readonly { readonly Identity: string }[];
  };
  return [atMs, body.profiles.map(({ Identity }) => Identity)];
}

function say(message: FromReceiver): void {
  process.send!(message);
}

process.on('message', (message: ToReceiver) => {
  if (message === 'close') {
    server.closeAllConnections();
    server.close();
    process.disconnect();
  } else if (message === 'count') say({ kind: 'count', count: noted.length });
  else {
    // Bodies are read only now, so that reading delays no arrival.
    say({ kind: 'arrivals', arrivals: noted.map(arrivalOf) });
    noted = [];
  }
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  say({ kind: 'listening', port: (server.address() as AddressInfo).port });
});
