import { connect } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { DoorCounters } from '../../../connectors/doors/door-counters.ts';
import { NatsDoor } from '../../../connectors/doors/nats/nats-door.ts';
import { RejectedStore, readRejected } from '../../../connectors/doors/rejected.ts';
import { connectJetStreamLog } from '../../../connectors/logs/jetstream/jetstream-log.ts';
import { Intake } from '../../../engine/intake/intake.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { natsPrograms, startNatsServer } from '../../support/nats-server.ts';
import { until } from './door-stage.ts';

const programs = await natsPrograms();
const PARTITION_COUNT = 4;

test.skipIf(programs.length === 0)(
  'NATS door: position and refused input survive in a JetStream log',
  async () => {
    const server = await startNatsServer({ program: programs[0]! });
    const connection = await connect({ servers: server.url });
    const options = { nats: { urls: [server.url] }, partitionCount: PARTITION_COUNT };
    const clock = systemClock;
    const counters = new DoorCounters();
    try {
      const sequences: (number | undefined)[] = [];
      for (let start = 0; start < 2; start++) {
        const log = await connectJetStreamLog(options);
        const rejected = new RejectedStore({ log, clock });
        await rejected.open();
        const intake = new Intake({ log, clock, appendsMax: 2 });
        const door = await NatsDoor.open({ connection, log, clock, intake, rejected, counters });
        sequences.push(door.durableSequence);
        connection.publish('events.shop', '{"type":"track","userId":"u1","event":"Charged"}');
        connection.publish('events.shop', '{"type":');
        await until(() => intake.recordsAppended === 1 && rejected.countsOf('nats').size === 1);
        await door.close();
        await rejected.idle();
        const kept = (await readRejected(log)).envelopes.flatMap(({ records }) => records);
        expect(kept.length).toBe(start + 1);
        await log.close();
      }
      // Two messages had been read when the second door opened, and nothing came again.
      expect(sequences).toEqual([undefined, 2]);
      expect(counters.acceptedBy('nats')).toBe(2);
    } finally {
      await connection.close();
      await server.stop();
    }
  },
);
