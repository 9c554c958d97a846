/**
 * Users on their way from one partition to another, at the intake: what comes for them meanwhile
 * waits in order, and the time of both partitions does not pass it.
 */
import type { Acknowledgement } from './acknowledgement.ts';
import type { LapseError } from './errors.ts';
import { arrivalOf, type Join, leaveOf, nameOf, type Relay } from './identities.ts';
import type { Hold } from './intake-holds.ts';
import type { IntakeLane } from './intake-lane.ts';
import type { IncomingEvent, Leave } from './records.ts';
import { UserQueues } from './user-queues.ts';

export interface IntakeMovesOptions {
  readonly tokenPrefix: string;
  readonly laneOf: (userId: string) => IntakeLane;
  /** @param latestMs the record's time is not past this, be the lane's what it may */
  readonly addEvent: (
    lane: IntakeLane,
    event: IncomingEvent,
    receivedAtMs: number,
    acknowledgement: Acknowledgement,
  ) => void;
  /** The same of one that goes on to another partition. */
  readonly addRelayed: IntakeMovesOptions['addEvent'];
  readonly addLeave: (
    lane: IntakeLane,
    leave: Leave,
    receivedAtMs: number,
    acknowledgement: Acknowledgement | undefined,
  ) => void;
  /** So many bytes more are held, or fewer. */
  readonly onHeld: (bytesMore: number) => void;
  /** The lane's time may go on. */
  readonly onReleased: (lane: IntakeLane) => void;
}

/** Something received that waits for its users' turn, or for a lane. */
interface Held {
  /** Of each lane once, the last one's is where it goes. */
  readonly holds: readonly { readonly lane: IntakeLane; readonly hold: Hold }[];
  /** Undefined once its sender has been told that it failed. */
  acknowledgement: Acknowledgement | undefined;
  readonly bytes: number;
  /** It is added even when nobody waits for it any more. */
  mustGoOn: boolean;
}

/** About what a leave takes. */
export const LEAVE_BYTES = 512;
/** Of an event beside its properties. */
const EVENT_BYTES = 256;

export class IntakeMoves {
  readonly #calls: IntakeMovesOptions;
  readonly #users = new UserQueues();
  /** Received and not added to a lane yet. */
  readonly #held = new Set<Held>();
  /** By arrival: what goes on when it stands in the log. */
  readonly #moves = new Map<string, () => void>();
  #isAbandoned = false;
  #tokens = 0;

  constructor(calls: IntakeMovesOptions) {
    this.#calls = calls;
  }

  /** Whether something that came before it for its user waits. */
  mustWait(event: IncomingEvent): boolean {
    return !this.#users.isIdle && this.#users.isBusy(nameOfUser(event));
  }

  /** Everything of a move stands in the log of its partition. @param arrival see `arrivalOf` */
  moved(arrival: string): void {
    const goOn = this.#moves.get(arrival);
    this.#moves.delete(arrival);
    goOn?.();
  }

  /** Nothing is moved any more: what waits fails. */
  abandon(failure: LapseError | undefined): void {
    this.#isAbandoned = true;
    this.#users.clear();
    for (const held of this.#held) this.#giveBack(held, failure);
  }

  /** Has a user's state go over to the id that stays. */
  move(join: Join, receivedAtMs: number, acknowledgement: Acknowledgement): void {
    const { addLeave } = this.#calls;
    const { source, target, token } = this.#wayOf(join);
    const held = this.#hold([source, target], receivedAtMs, acknowledgement, LEAVE_BYTES);
    // The ids are joined already, whatever becomes of those who wait.
    held.mustGoOn = true;
    this.#handOver(join, token, held, (goOn) => {
      target.whenSettled(() => {
        addLeave(source, leaveOf(join, token), receivedAtMs, held.acknowledgement);
        goOn();
      });
    });
  }

  /**
   * The event goes to its own id's partition, which sends it on unless it has seen it; the leave
   * behind it says that it has been sent.
   */
  relay(
    { join, isChain }: Relay,
    event: IncomingEvent,
    receivedAtMs: number,
    acknowledgement: Acknowledgement,
  ): void {
    const { addRelayed, addLeave } = this.#calls;
    const { source, target, token } = this.#wayOf(join);
    const copy = { ...event };
    const bytes = bytesOf(copy);
    const held = this.#hold([source, target], receivedAtMs, acknowledgement, bytes);
    this.#handOver(join, token, held, (goOn) => {
      target.whenSettled(() => {
        if (!this.#held.has(held)) return this.moved(arrivalOf(token, join.to));
        const leaves = (name: string) =>
          addLeave(source, leaveOf(join, name), receivedAtMs, undefined);
        // The partition knows the next id of the chain only: it shall send straight to the last.
        if (isChain) leaves(`${token} chain`);
        addRelayed(source, copy, receivedAtMs, acknowledgement);
        leaves(token);
        goOn();
      });
    });
  }

  #wayOf({ from, to }: Join): { source: IntakeLane; target: IntakeLane; token: string } {
    const token = `${this.#calls.tokenPrefix}-${++this.#tokens}`;
    const { laneOf } = this.#calls;
    return { source: laneOf(from.id), target: laneOf(to.id), token };
  }

  /**
   * Adds to the lane of an id what goes over to its survivor's partition, and lets nothing pass
   * that comes later for either until it is there. Before it is added, all that was received
   * earlier for the survivor's partition is stored, and meanwhile neither lane's time passes the
   * join. So all that was received before the join is judged before it, all that is received after
   * it behind it, and nobody else waits. What waits does so for something received earlier, never
   * later: no two wait for each other.
   *
   * @param add adds it, now or later, and calls back when it has
   */
  #handOver({ from, to }: Join, token: string, held: Held, add: (goOn: () => void) => void): void {
    this.#users.run([nameOf(from), nameOf(to)], (done) => {
      if (this.#isAbandoned) return;
      this.#moves.set(arrivalOf(token, to), () => {
        this.#release(held);
        done();
      });
      add(() => this.#giveBack(held, undefined));
    });
  }

  /** Adds the event after all that came before for its user. */
  addInTurn(event: IncomingEvent, receivedAtMs: number, acknowledgement: Acknowledgement): void {
    const { laneOf, addEvent } = this.#calls;
    const lane = laneOf(event.userId);
    const copy = { ...event };
    const held = this.#hold([lane], receivedAtMs, acknowledgement, bytesOf(copy));
    this.#users.run([nameOfUser(copy)], (done) => {
      const isAwaited = this.#held.has(held);
      if (isAwaited) addEvent(lane, copy, receivedAtMs, acknowledgement);
      this.#giveBack(held, undefined);
      this.#release(held);
      done();
    });
  }

  /**
   * Keeps the lanes' time from passing what is added later; its sender waits for it. Each lane's at
   * its own: that of the other may be far ahead, and a tick in between would overtake what waits.
   */
  #hold(
    lanes: readonly IntakeLane[],
    receivedAtMs: number,
    acknowledgement: Acknowledgement,
    bytes: number,
  ): Held {
    const holds = [...new Set(lanes)].map((lane) => ({ lane, hold: lane.hold(receivedAtMs) }));
    const held: Held = { holds, acknowledgement, bytes, mustGoOn: false };
    this.#held.add(held);
    this.#calls.onHeld(bytes);
    acknowledgement.hold();
    return held;
  }

  /** It has been added, or has failed. */
  #giveBack(held: Held, failure: LapseError | undefined): void {
    if (!this.#held.delete(held)) return;
    this.#calls.onHeld(-held.bytes);
    held.acknowledgement?.settle(failure);
  }

  /** What is held for the lane fails, but for what its users' ids need. */
  failHeld(lane: IntakeLane, failure: LapseError): void {
    for (const held of this.#held) {
      if (!held.holds.some((one) => one.lane === lane)) continue;
      if (!held.mustGoOn) this.#giveBack(held, failure);
      else {
        held.acknowledgement?.settle(failure);
        held.acknowledgement = undefined;
      }
    }
  }

  #release({ holds }: Held): void {
    for (const { lane, hold } of holds) {
      lane.release(hold);
      this.#calls.onReleased(lane);
    }
  }
}

function nameOfUser({ userId, isAnonymous }: IncomingEvent): string {
  return nameOf({ id: userId, isAnonymous });
}

/** About what it takes while it waits. */
function bytesOf(event: IncomingEvent): number {
  return EVENT_BYTES + JSON.stringify(event.properties).length;
}
