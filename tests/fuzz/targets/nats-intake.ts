/** NATS messages: payload and headers, through the intake to the log. */
import { DoorCounters } from '../../../connectors/doors/door-counters.ts';
import { PayloadIntake } from '../../../connectors/doors/nats/payload-intake.ts';
import { RejectedStore } from '../../../connectors/doors/rejected.ts';
import { DEFAULT_EVENT_LIMITS } from '../../../connectors/events/event-limits.ts';
import { Acknowledgement, Intake } from '../../../engine/intake/intake.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { headLength } from '../mutation/mutator.ts';
import { demand, type FuzzRunner, type FuzzTarget, type Outcome } from '../target.ts';
import { EVENT_WORDS, EVENTS, MSGPACK_SEEDS, NDJSON_SEEDS, PAYLOAD_SEEDS } from './event-seeds.ts';
import { ENVELOPE_BYTES_MAX, ForgetfulLog } from './forgetful-log.ts';

const ALIAS = 'alias';

/** The first line, `#…`, is the message's `Nats-Msg-Id`. */
class NatsRunner implements FuzzRunner {
  readonly #log = new ForgetfulLog();
  readonly #intake = new Intake({ log: this.#log, clock: systemClock });
  readonly #counters = new DoorCounters();
  readonly #rejected = new RejectedStore({ log: this.#log, clock: systemClock });
  readonly #payloads = new PayloadIntake({
    intake: this.#intake,
    rejected: this.#rejected,
    counters: this.#counters,
    limits: DEFAULT_EVENT_LIMITS,
    idPrefix: 'nats:events@1',
  });
  #sequence = 0;

  constructor() {
    this.#log.intake = this.#intake;
  }

  async run(input: Uint8Array): Promise<Outcome> {
    const start = headLength(input);
    const id = Buffer.from(input.subarray(1, Math.max(1, start - 1))).toString();
    const message = { data: Buffer.from(input.subarray(start)), headers: { get: () => id } };
    const before = this.#log.events;
    const counted = this.#counters.acceptedBy('nats');
    const acknowledgement = new Acknowledgement();
    this.#payloads.take(message, ++this.#sequence, Date.now(), acknowledgement);
    await acknowledgement.close();
    await this.#rejected.idle();
    const accepted = this.#log.events - before;
    const said = this.#counters.acceptedBy('nats') - counted;
    // An alias is said by joining two ids, and is no event in the log.
    const isRight = message.data.includes(ALIAS) ? accepted <= said : accepted === said;
    demand(isRight, () => `${said} events were counted, ${accepted} are in the log.`);
    demand(this.#intake.bytesInFlight === 0, () => `${this.#intake.bytesInFlight} bytes are left.`);
    const { largestBytes } = this.#log;
    demand(largestBytes <= ENVELOPE_BYTES_MAX, () => `An envelope of ${largestBytes} bytes.`);
    return accepted > 0 ? 'accepted' : 'refused';
  }
}

const wide = Array.from({ length: 60 }, (_, i) => {
  const properties: Record<string, number> = {};
  for (let k = 0; k < 200; k++) properties[`${i}-${k}-${'n'.repeat(80)}`] = k;
  return { type: 'track', userId: 'u', event: 'e', properties };
});

export const natsIntake: FuzzTarget = {
  name: 'nats-intake',
  format: 'json',
  seeds: () => [
    ...PAYLOAD_SEEDS.map((seed, i) => `#id-${i}\n${seed}`),
    ...NDJSON_SEEDS,
    ...MSGPACK_SEEDS,
    Buffer.concat([Buffer.from('#id-m\n'), MSGPACK_SEEDS[4]!]),
    `#\n${JSON.stringify(EVENTS)}`,
    `#${'i'.repeat(120)}\n${JSON.stringify(wide.slice(0, 3))}`,
  ],
  words: EVENT_WORDS,
  share: 0.6,
  open: () => new NatsRunner(),
};
