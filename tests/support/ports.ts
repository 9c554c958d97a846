/** Ports for servers that come back on the same one. */
import { createServer } from 'node:net';

/** Below the ports that systems hand out for outgoing connections: nothing takes it in a restart. */
const PORTS_FROM = 20_000;
const PORTS_COUNT = 12_000;

/** A loopback port that is free now and is nobody's while the process that had it is down. */
export async function stablePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = PORTS_FROM + Math.floor(Math.random() * PORTS_COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port was found');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
