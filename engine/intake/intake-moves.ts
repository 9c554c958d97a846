/**
 * Users on their way from one partition to another, at the intake: what comes for them meanwhile
 * waits in order, and the time of both partitions does not pass it.
 */

import type { IncomingEvent, Leave } from '../envelope/records.ts';
import type { LapseError } from '../errors/errors.ts';
import { writeJson } from '../json/write-json.ts';
import type { Acknowledgement } from './acknowledgement.ts';
import { arrivalOf, type Join, leaveOf, nameOf, type Relay } from './identities.ts';
import type { Hold } from './intake-holds.ts';
import type { IntakeLane, Leaving } from './intake-lane.ts';
import { UserQueues } from './user-queues.ts';

export interface IntakeMovesOptions {
  readonly tokenPrefix: string;
  readonly laneOf: (userId: string) => IntakeLane;
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
  /** The doors forget a join that failed before anything of it was written. */
  readonly takeBack: (join: Join) => void;
  /** Calls back as soon as all that was received up to then has been added, see `Horizon`. */
  readonly whenPassed: (atMs: number, callback: () => void) => void;
  /** The lane's time may go on. */
  readonly onReleased: (lane: IntakeLane) => void;
}

/** Of each lane once. */
type LaneHolds = readonly { readonly lane: IntakeLane; readonly hold: Hold }[];

/** Something received that waits for its users' turn, or for a lane. */
interface Held {
  /** Names of whom it waits for; what comes later for any of them waits for it. */
  readonly users: readonly string[];
  readonly receivedAtMs: number;
  readonly holds: LaneHolds;
  readonly acknowledgement: Acknowledgement;
  readonly bytes: number;
  /** What the doors have learned by it. */
  readonly learned: Join | undefined;
}

/** What is needed to hold something. */
interface Holding extends Omit<Held, 'holds' | 'learned'> {
  readonly lanes: readonly IntakeLane[];
  /** @default nothing */
  readonly learned?: Join | undefined;
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

  /**
   * Has a user's state go over to the id that stays.
   * @param isNew false when it is said again, for its sender to be told
   */
  move(join: Join, receivedAtMs: number, acknowledgement: Acknowledgement, isNew: boolean): void {
    const { addLeave } = this.#calls;
    const { source, target, token, users } = this.#wayOf(join);
    const held = this.#hold({
      users,
      lanes: [source, target],
      receivedAtMs,
      acknowledgement,
      bytes: LEAVE_BYTES,
      learned: isNew ? join : undefined,
    });
    this.#handOver(held, arrivalOf(token, join.to), () => {
      addLeave(source, leaveOf(join, token), receivedAtMs, acknowledgement);
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
    const { source, target, token, users } = this.#wayOf(join);
    const copy = { ...event };
    const held = this.#hold({
      users,
      lanes: [source, target],
      receivedAtMs,
      acknowledgement,
      bytes: bytesOf(copy),
      learned: isChain ? join : undefined,
    });
    this.#handOver(held, arrivalOf(token, join.to), () => {
      const leaves = (name: string) =>
        addLeave(source, leaveOf(join, name), receivedAtMs, undefined);
      // The partition knows the next id of the chain only: it shall send straight to the last.
      if (isChain) leaves(`${token} chain`);
      addRelayed(source, copy, receivedAtMs, acknowledgement);
      leaves(token);
    });
  }

  #wayOf({ from, to }: Join) {
    const token = `${this.#calls.tokenPrefix}-${++this.#tokens}`;
    const { laneOf } = this.#calls;
    const users = [nameOf(from), nameOf(to)];
    return { source: laneOf(from.id), target: laneOf(to.id), token, users };
  }

  /**
   * Adds to the lane of an id what goes over to its survivor's partition, and lets nothing pass
   * that comes later for either until it is there. Before it is added, all that was received
   * earlier for either partition is stored, and meanwhile neither lane's time passes the join. So
   * all that was received before the join is judged before it, all that is received after it
   * behind it, and nobody else waits. What waits does so for something received earlier, never
   * later: no two wait for each other.
   *
   * Where something earlier is not stored and comes again, it fails as well, and comes behind it.
   *
   * @param arrival when it is there, see `arrivalOf`
   */
  #handOver(held: Held, arrival: string, add: () => void): void {
    this.#users.run(held.users, (done) => {
      if (this.#isAbandoned) return;
      this.#moves.set(arrival, () => {
        this.#release(held.holds);
        done();
      });
      let unsettled = held.holds.length;
      for (const { lane } of held.holds) {
        lane.whenSettled(() => {
          if (--unsettled > 0) return;
          if (!this.#held.has(held)) return this.moved(arrival);
          add();
          this.#giveBack(held, undefined);
        });
      }
    });
  }

  /** Adds the event after all that came before for its user. */
  addInTurn(event: IncomingEvent, receivedAtMs: number, acknowledgement: Acknowledgement): void {
    const { laneOf, addEvent } = this.#calls;
    const lane = laneOf(event.userId);
    const copy = { ...event };
    const users = [nameOfUser(copy)];
    const bytes = bytesOf(copy);
    const held = this.#hold({ users, lanes: [lane], receivedAtMs, acknowledgement, bytes });
    this.#users.run(users, (done) => {
      if (this.#held.has(held)) addEvent(lane, copy, receivedAtMs, acknowledgement);
      this.#giveBack(held, undefined);
      this.#release(held.holds);
      done();
    });
  }

  /**
   * Keeps the lanes' time from passing what is added later; its sender waits for it. Each lane's at
   * its own: that of the other may be far ahead, and a tick in between would overtake what waits.
   */
  #hold({ users, lanes, receivedAtMs, acknowledgement, bytes, learned }: Holding): Held {
    const holds = holdsOf(lanes, receivedAtMs);
    const held: Held = { users, receivedAtMs, holds, acknowledgement, bytes, learned };
    this.#held.add(held);
    this.#calls.onHeld(bytes);
    acknowledgement.hold();
    return held;
  }

  /** It has been added, or has failed. */
  #giveBack(held: Held, failure: LapseError | undefined): void {
    if (!this.#held.delete(held)) return;
    this.#calls.onHeld(-held.bytes);
    held.acknowledgement.settle(failure);
  }

  /**
   * What is held for the lane fails, as what comes again for it has to come before. What is held
   * behind that for the same users fails too, joins with it: they are as if they had not been said.
   * To be called when those who bring again what failed have been told.
   *
   * @param leaves that stood in the lane and were not stored either; with them may have stood what
   *   was to go on by them
   */
  failHeld(lane: IntakeLane, leaves: readonly Leaving[], failure: LapseError): void {
    const users = new Set<string>();
    const { laneOf } = this.#calls;
    for (const { leave, receivedAtMs } of leaves) {
      const { from, to } = leave;
      users.add(nameOf(from)).add(nameOf(to));
      this.#holdUntilPassed([laneOf(from.id), laneOf(to.id)], receivedAtMs);
    }
    const failed: Held[] = [];
    for (const held of this.#held) {
      const isBehind = held.users.some((user) => users.has(user));
      if (!isBehind && !held.holds.some((one) => one.lane === lane)) continue;
      for (const user of held.users) users.add(user);
      failed.push(held);
    }
    // From the newest back: each finds what it had changed.
    for (const { learned } of failed.toReversed()) {
      if (learned !== undefined) this.#calls.takeBack(learned);
    }
    for (const held of failed) {
      this.#giveBack(held, failure);
      this.#holdUntilPassed(
        held.holds.map((one) => one.lane),
        held.receivedAtMs,
      );
    }
  }

  /** What comes again finds the time as it was; in these lanes others may go on meanwhile. */
  #holdUntilPassed(lanes: readonly IntakeLane[], receivedAtMs: number): void {
    const holds = holdsOf(lanes, receivedAtMs);
    this.#calls.whenPassed(receivedAtMs, () => this.#release(holds));
  }

  #release(holds: LaneHolds): void {
    for (const { lane, hold } of holds) {
      lane.release(hold);
      this.#calls.onReleased(lane);
    }
  }
}

function holdsOf(lanes: readonly IntakeLane[], receivedAtMs: number): LaneHolds {
  return [...new Set(lanes)].map((lane) => ({ lane, hold: lane.hold(receivedAtMs) }));
}

function nameOfUser({ userId, isAnonymous }: IncomingEvent): string {
  return nameOf({ id: userId, isAnonymous });
}

/** About what it takes while it waits. */
function bytesOf(event: IncomingEvent): number {
  return EVENT_BYTES + writeJson(event.properties).length;
}
