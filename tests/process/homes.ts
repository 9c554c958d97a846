/** Where a log can live, as rows for `test.each`. */
import type { NatsServerProgram } from '../../scripts/find-nats.mjs';
import { natsPrograms } from '../support/nats-server.ts';

export interface Home {
  readonly name: string;
  /** Absent: embedded. */
  readonly nats?: NatsServerProgram;
}

/** JetStream on each version of the server that is there, oldest first. */
export async function natsHomes(): Promise<Home[]> {
  return (await natsPrograms()).map((nats) => ({ name: `NATS ${nats.version}`, nats }));
}

/** Embedded, and JetStream on the newest server. */
export async function homes(): Promise<Home[]> {
  return [{ name: 'embedded' }, ...(await natsHomes()).slice(-1)];
}

/** For `Stage.open`. */
export function homeOf({ nats }: Home): { nats?: NatsServerProgram } {
  return nats === undefined ? {} : { nats };
}
