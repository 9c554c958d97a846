import { type IncomingEvent, type Leave, RecordFlag, RecordKind } from '../envelope/records.ts';
import { type ErrorDetails, LapseError } from '../errors/errors.ts';
import type { Log } from '../log/log.ts';
import { Unread } from '../log/unread.ts';
import { partitionOf } from '../state/hash.ts';
import type { Clock } from '../time/clock.ts';
import type { Acknowledgement } from './acknowledgement.ts';
import { Horizon } from './horizon.ts';
import { Identities } from './identities.ts';
import { IntakeAppends } from './intake-appends.ts';
import { IntakeLane, type Leaving, type Sealed } from './intake-lane.ts';
import { IntakeMoves, LEAVE_BYTES } from './intake-moves.ts';
import { IntakeTicks } from './intake-ticks.ts';

export { Acknowledgement } from './acknowledgement.ts';

const LEAVE_AGAIN_MS = 50;

export interface IntakeOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Above this many bytes on their way, `hasRoom` is false. @default 64 MiB */
  readonly inFlightBytesMax?: number;
  /**
   * Appends under way at a time, over all partitions. Fewer make larger envelopes: where an append
   * costs much (JetStream: 40 µs of CPU), records gather in the partitions that wait their turn.
   * @default 64
   */
  readonly appendsMax?: number;
  /**
   * Above this many records that stand in the log and that the partitions have not processed
   * (`processed` says how many they have), `hasRoom` is false. @default Infinity
   */
  readonly unreadRecordsMax?: number;
  /** Above this age of the oldest of them, ms, `hasRoom` is false too. @default Infinity */
  readonly unreadMsMax?: number;
}

/**
 * Where the doors' events become records: gathers them by partition and appends envelopes to the
 * log. Everything that enters a partition of this process passes here, ticks too, so that the
 * times of receipt never go back within a partition.
 *
 * Records gather while an append of their partition is in flight, see `IntakeAppends`. An append
 * that fails fails its acknowledgements, with an error that says whether to come again, and the
 * partition goes on with the next one.
 */
export class Intake {
  readonly horizon: Horizon;
  /** Who is who; to be filled before events come. */
  readonly identities = new Identities();
  readonly #clock: Clock;
  readonly #lanes: IntakeLane[];
  readonly #inFlightBytesMax: number;
  readonly #unread: Unread;
  readonly #appends: IntakeAppends;
  #bytesInFlight = 0;
  #roomWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];
  #failure: LapseError | undefined;
  readonly #ticks: IntakeTicks;
  readonly #moves: IntakeMoves;
  recordsAppended = 0;
  envelopesAppended = 0;
  appendsFailed = 0;

  constructor(options: IntakeOptions) {
    this.#clock = options.clock;
    this.horizon = new Horizon(options.clock);
    this.#inFlightBytesMax = options.inFlightBytesMax ?? 64 * 1024 * 1024;
    const { unreadRecordsMax: recordsMax = Infinity, unreadMsMax: ageMsMax = Infinity } = options;
    this.#unread = new Unread({ recordsMax, ageMsMax });
    this.#appends = new IntakeAppends(options.log, options.appendsMax ?? 64, (...settled) =>
      this.#settled(...settled),
    );
    const onSealed = (bytesMore: number) => {
      this.#bytesInFlight += bytesMore;
    };
    this.#lanes = Array.from(
      { length: options.log.partitionCount },
      (_, partition) => new IntakeLane(`in.${partition}`, onSealed),
    );
    this.#ticks = new IntakeTicks(this.horizon, (lane, atMs) => this.#addTick(lane, atMs));
    this.#moves = new IntakeMoves({
      // Tells the tokens of this run from those that a replay of an earlier one brings again.
      tokenPrefix: options.clock.now().toString(36),
      laneOf: (userId) => this.#laneOf(userId),
      addEvent: (...event) => this.#addEvent(...event),
      addRelayed: (...event) => this.#addRelayed(...event),
      addLeave: (...leave) => this.#addLeave(...leave),
      onHeld: (bytesMore) => {
        this.#bytesInFlight += bytesMore;
      },
      takeBack: (join) => this.identities.takeBack(join),
      whenPassed: (atMs, callback) => this.horizon.wait(atMs, callback),
      onReleased: (lane) => this.#ticks.released(lane),
    });
  }

  /** False while too much is on its way, or unread: doors push back. */
  get hasRoom(): boolean {
    return this.#bytesInFlight < this.#inFlightBytesMax && this.#unread.hasRoom(this.#clock.now());
  }

  /** Records appended by this intake that the partitions have not processed, as far as told. */
  get unreadRecords(): number {
    return this.#unread.records;
  }

  /** Says how many records the partitions have processed since the start. */
  processed(records: number): void {
    this.#unread.processed(records);
    this.#tellRoom();
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** True while a door works off a backlog: the others answer that senders shall come again. */
  get isCatchingUp(): boolean {
    return this.horizon.isCatchingUp;
  }

  /** Unix ms: everything received before has been added. */
  horizonMs(): number {
    return this.horizon.atMs;
  }

  /** Resolves as soon as there is room. */
  room(): Promise<void> {
    if (this.hasRoom) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /**
   * Adds an event; it is copied before the call returns. Its user may be changed to whose it is now.
   * @param receivedAtMs Unix ms; raised to that of the partition's record before, if below
   * @throws LapseError what `fail` was called with
   */
  add(event: IncomingEvent, receivedAtMs: number, acknowledgement: Acknowledgement): void {
    if (this.#failure !== undefined) throw this.#failure;
    const joins = this.identities.join(event, receivedAtMs);
    for (const join of joins) this.#moves.move(join, receivedAtMs, acknowledgement, true);
    if (event.kind === RecordKind.alias) {
      // An alias has said everything by joining. What it says may be known and not durable yet.
      const known = joins.length > 0 ? [] : this.identities.known(event);
      for (const join of known) this.#moves.move(join, receivedAtMs, acknowledgement, false);
      return;
    }
    const relay = this.identities.settle(event, receivedAtMs);
    if (relay !== undefined) this.#moves.relay(relay, event, receivedAtMs, acknowledgement);
    else if (this.#moves.mustWait(event)) {
      this.#moves.addInTurn(event, receivedAtMs, acknowledgement);
    } else this.#addEvent(this.#laneOf(event.userId), event, receivedAtMs, acknowledgement);
  }

  /** Everything of a move stands in the log of its partition. @param arrival see `arrivalOf` */
  moved(arrival: string): void {
    this.#moves.moved(arrival);
  }

  /**
   * Appends a record that only carries time, as soon as everything received up to and with `atMs`
   * has been added. Time never goes back, so the tick may be later than asked.
   */
  requestTick(partition: number, atMs: number): void {
    this.#ticks.request(this.#lanes[partition]!, atMs);
  }

  #addTick(lane: IntakeLane, atMs: number): void {
    if (this.#failure !== undefined) return;
    const at = lane.timeOf(atMs);
    const before = lane.gatheredBytes;
    lane.writer.addTick(at);
    this.#added(lane, before, undefined);
  }

  #tellRoom(): void {
    if (this.#roomWaiters.length === 0 || !this.hasRoom) return;
    for (const resolve of this.#roomWaiters.splice(0)) resolve();
  }

  /** Appends a control record to every partition. */
  control(value: unknown, acknowledgement: Acknowledgement, kind: RecordKind): void {
    if (this.#failure !== undefined) throw this.#failure;
    // At the backlog's time while there is one, or it would carry partition time past the backlog.
    const atMs = this.isCatchingUp ? Math.max(0, this.horizon.atMs) : this.#clock.now();
    for (const lane of this.#lanes) {
      const at = lane.timeOf(atMs);
      const before = lane.gatheredBytes;
      lane.writer.addJson(kind, value, at);
      this.#added(lane, before, acknowledgement);
    }
  }

  /** Resolves when nothing is on its way. */
  idle(): Promise<void> {
    if (this.#bytesInFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Refuses everything from now on, with the reason. What is on its way still goes. */
  fail(code: string, message: string, details: ErrorDetails = {}): void {
    this.#failure = new LapseError(code, message, details);
    this.horizon.close();
  }

  /**
   * Fails what waits for users on their way, after `fail`: partitions that have stopped bring none
   * of them there, and whoever sent it would wait for ever.
   */
  abandon(): void {
    this.#moves.abandon(this.#failure);
    this.#tellIdle();
  }

  #laneOf(userId: string): IntakeLane {
    return this.#lanes[partitionOf(userId, this.#lanes.length)]!;
  }

  #addEvent(
    lane: IntakeLane,
    event: IncomingEvent,
    receivedAtMs: number,
    acknowledgement: Acknowledgement,
  ): void {
    const laneMs = lane.timeOf(receivedAtMs);
    const before = lane.gatheredBytes;
    if (receivedAtMs <= laneMs) lane.writer.addEvent(event, laneMs);
    else lane.writer.addEvent(event, receivedAtMs, RecordFlag.ahead);
    this.#added(lane, before, acknowledgement);
  }

  /** An event that goes on from here to another partition has the time of its receipt, no other. */
  #addRelayed(
    lane: IntakeLane,
    event: IncomingEvent,
    receivedAtMs: number,
    acknowledgement: Acknowledgement,
  ): void {
    lane.makeRoom(receivedAtMs);
    const before = lane.gatheredBytes;
    lane.writer.addEvent(event, receivedAtMs, RecordFlag.ahead);
    this.#added(lane, before, acknowledgement);
  }

  #addLeave(
    lane: IntakeLane,
    leave: Leave,
    receivedAtMs: number,
    acknowledgement: Acknowledgement | undefined,
  ): void {
    // It brings no time: said again it may stand before what failed with it and comes again.
    const laneMs = lane.lastReceivedAtMs;
    lane.makeRoom(Math.max(receivedAtMs, laneMs));
    const before = lane.gatheredBytes;
    lane.leave(leave, receivedAtMs, laneMs);
    this.#added(lane, before, acknowledgement);
  }

  #added(
    lane: IntakeLane,
    bytesBefore: number,
    acknowledgement: Acknowledgement | undefined,
  ): void {
    this.#bytesInFlight += lane.gatheredBytes - bytesBefore;
    if (acknowledgement !== undefined) lane.acknowledge(acknowledgement);
    if (lane.writer.isFull) lane.seal();
    this.#appends.queue(lane);
  }

  #settled(lane: IntakeLane, sealed: Sealed, failure: LapseError | undefined): void {
    if (failure === undefined) {
      this.envelopesAppended++;
      this.recordsAppended += sealed.recordCount;
      this.#unread.appended(sealed.recordCount, this.#clock.now());
    } else this.appendsFailed++;
    // What its door brings again must not be overtaken by what waits behind it, ticks above all:
    // it may cancel what they fire. So all of that fails with it.
    const isRead = sealed.acknowledgements.some(({ onFailure }) => onFailure !== undefined);
    const comesAgain = failure !== undefined && isRead;
    const settled = comesAgain ? [sealed, ...lane.dropBehind(sealed)] : [sealed];
    for (const { bytes, acknowledgements } of settled) {
      this.#bytesInFlight -= bytes.length;
      for (const acknowledgement of acknowledgements) acknowledgement.settle(failure);
    }
    if (failure !== undefined) {
      const leaves = settled.flatMap((one) => one.leaves);
      if (comesAgain) this.#moves.failHeld(lane, leaves, failure);
      this.#leaveAgain(lane, leaves);
    }
    for (const _ of settled) lane.settled();
    this.#tellRoom();
    this.#tellIdle();
  }

  /**
   * Somebody waits for what leaves by it, and the ids are joined already. Said twice, a leave moves
   * nothing more; nothing of the users has been added since, as what comes for them waits for their
   * arrival. After a pause: a log that is full refuses at once.
   */
  #leaveAgain(lane: IntakeLane, leaves: readonly Leaving[]): void {
    if (leaves.length === 0) return;
    const bytes = leaves.length * LEAVE_BYTES;
    this.#bytesInFlight += bytes;
    this.#clock.at(this.#clock.now() + LEAVE_AGAIN_MS, () => {
      this.#bytesInFlight -= bytes;
      // One by one: they may be more than the envelope at hand has room for.
      for (const { leave, receivedAtMs } of leaves) {
        this.#addLeave(lane, leave, receivedAtMs, undefined);
      }
    });
  }

  #tellIdle(): void {
    if (this.#bytesInFlight === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}
