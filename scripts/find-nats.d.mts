export interface NatsServerProgram {
  readonly path: string;
  readonly version: string;
}

/** One of each version, oldest first; empty when there is none. */
export function findNatsServers(): Promise<NatsServerProgram[]>;
