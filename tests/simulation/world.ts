import { parseDefinitions } from '../../config/definitions/definitions.ts';
import { lifeAfter, lifeWhenPut } from '../../operators/campaign-life.ts';
import type { Definitions } from '../../operators/definitions.ts';
import { partitionDefinitions } from '../../operators/partition-definitions.ts';
import type { Life as CampaignLife } from '../../operators/router/campaign-entry.ts';
import { Prng } from '../support/prng.ts';
import { Archive } from './archive.ts';
import type { Feature } from './coverage.ts';
import { withSizes } from './draw-sizes.ts';
import { EmbeddedHome } from './embedded-home.ts';
import { EventServer } from './event-server.ts';
import {
  type Blow,
  drawFaults,
  type FaultPlan,
  type Moment,
  NO_RECEIVER_FAULTS,
} from './faults.ts';
import { JetStreamHome } from './jetstream-home.ts';
import { Producer } from './producer.ts';
import { SimulatedReports } from './reports.ts';
import { type Life, Scheduler } from './scheduler.ts';
import { clockOf, WallClock } from './simulated-clock.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import type { SimulatedHome } from './simulated-home.ts';
import { LogServer } from './simulated-log.ts';
import { type ProcessLimits, SimulatedProcess } from './simulated-process.ts';
import { type ReceiverFaults, SimulatedReceivers } from './simulated-receivers.ts';
import { Trace } from './trace.ts';
import { configOf, START_MS } from './wire.ts';
import { type DefinitionsPlan, drawWorkload, type Workload } from './workload.ts';

const RESTART_MS_MAX = 2_000;
/** Makes another stream of chance of a seed. */
const SIZES_STREAM = 0x517e5;

const KILLED_AT: Readonly<Record<Moment, Feature>> = {
  checkpoint: 'process killed when a checkpoint got its name',
  write: 'process killed when it was writing one',
  stored: 'process killed when the log had stored its envelope',
  request: 'process killed with a request at a receiver',
};

/** Everything of one run, from its seed: the load, the system, what happens to both. */
export class World {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly wall: WallClock;
  readonly trace: Trace;
  readonly archive = new Archive();
  readonly reports = new SimulatedReports();
  readonly workload: Workload;
  readonly faults: FaultPlan;
  readonly limits: ProcessLimits;
  readonly disk: SimulatedDisk;
  readonly receivers: SimulatedReceivers;
  readonly producer: Producer;
  readonly home: SimulatedHome;
  /** Where a part of the events comes from, in some runs. */
  readonly events: EventServer | undefined;
  /** What must not be and was, as sentences. */
  readonly problems: string[] = [];
  /** All that ever ran, oldest first. */
  readonly processes: SimulatedProcess[] = [];
  /** Definitions as the engine knows them, with the plan that they were made of. */
  readonly plans = new Map<string, DefinitionsPlan>();
  /** Where campaigns are in their lives, as the control plane has stored it. */
  readonly #lives = new Map<string, CampaignLife>();
  /** What was done to campaigns so far. */
  actionsDone = 0;
  #wanted: Definitions;
  #process: SimulatedProcess | undefined;
  #isFaulty = true;
  /** Of each partition, the newest checkpoint that was ever damaged. */
  readonly #damagedOffsets = new Map<number, number>();
  #traps: (Blow & { kind: 'trap' })[] = [];

  constructor(seed: number, keepsTrace: boolean) {
    this.seed = seed;
    const prng = new Prng(seed);
    // Joins by way of NATS, and a log that takes hardly anything for a while, again and again.
    const isStormy = prng.chance(0.1);
    const drawn = drawWorkload(prng, isStormy);
    const webhooks = drawn.versions[0]!.plan.webhooks;
    this.faults = drawFaults(prng, {
      spanMs: drawn.endMs + 5_000,
      webhooks: webhooks.length,
      hasZombies: true,
      isStormy,
    });
    this.limits = drawLimits(prng);
    this.scheduler = new Scheduler(prng.below(2 ** 32), START_MS);
    this.workload = withSizes(new Prng(seed ^ SIZES_STREAM), drawn, this.scheduler.coverage);
    this.wall = new WallClock(this.scheduler);
    this.trace = new Trace(keepsTrace);
    this.disk = new SimulatedDisk(this.scheduler, this.faults.disk);
    const faultsOf = new Map<string, ReceiverFaults>(
      webhooks.map(({ id }, i) => [id, this.faults.receivers[i]!]),
    );
    this.receivers = new SimulatedReceivers(this.scheduler, this.wall, faultsOf);
    this.home = this.#drawHome();
    const hasNats = isStormy || this.scheduler.prng.chance(0.4);
    this.events = hasNats ? new EventServer(this.scheduler, this.faults.events) : undefined;
    this.producer = new Producer({
      scheduler: this.scheduler,
      wall: this.wall,
      front: () => (this.#process?.life.isOver === false ? this.#process : undefined),
      events: this.events,
      publishedShare: isStormy ? 0.9 : 0.5,
      faults: this.faults.producer,
    });
    for (const { plan } of this.workload.versions) {
      const definitions = partitionDefinitions(parseDefinitions(configOf(plan)));
      this.plans.set(JSON.stringify(definitions), plan);
    }
    this.#wanted = this.#definitionsOf(0);
    this.#putLives();
    this.receivers.onReceived = ({ lane, life, webhookId, attempt }) =>
      this.#sent(life, `sends ${webhookId} to ${lane}, attempt ${attempt}`);
    this.archive.onStored = () => this.#spring('stored', this.#process);
    this.disk.onChanged = (life, what) => {
      if (this.#process?.life === life) this.#spring(what, this.#process);
    };
  }

  get process(): SimulatedProcess | undefined {
    return this.#process;
  }

  tell(who: string, what: string): void {
    this.trace.add(this.scheduler.nowMs - START_MS, who, what);
  }

  problem(what: string): void {
    this.problems.push(what);
    this.tell('world', `PROBLEM ${what}`);
  }

  /** Starts the system, and plans the load, the changes and the blows. */
  begin(): void {
    this.launch();
    this.producer.plan(START_MS, this.workload);
    for (const [i, { atMs }] of this.workload.versions.entries()) {
      if (i > 0) this.scheduler.at(START_MS + atMs, undefined, () => this.#change(i));
    }
    for (const [i, { atMs }] of this.workload.actions.entries()) {
      this.scheduler.at(START_MS + atMs, undefined, () => this.#act(i));
    }
    for (const blow of this.faults.blows) {
      this.scheduler.at(START_MS + blow.atMs, undefined, () => this.#strike(blow));
    }
  }

  /** From now on nothing fails any more. */
  endFaults(): void {
    this.#isFaulty = false;
    this.#traps = [];
    for (const faults of [this.faults.log, this.faults.events]) {
      Object.assign(faults, { lostRequests: 0, lostAnswers: 0, slowMs: 2, awayUntilMs: 0 });
    }
    Object.assign(this.faults.disk, { slowMs: 2, failing: 0 });
    Object.assign(this.faults.producer, { lost: 0, slowMs: 2 });
    for (const faults of this.faults.receivers) Object.assign(faults, NO_RECEIVER_FAULTS);
    this.tell('world', 'the faults are over');
  }

  launch(): SimulatedProcess {
    const name = `p${this.processes.length + 1}`;
    const process = new SimulatedProcess({
      name,
      scheduler: this.scheduler,
      partitionCount: this.workload.partitionCount,
      limits: this.limits,
      events: this.events,
      connect: (connecting) => this.home.connect(connecting),
      clockOf: (life) => clockOf(this.scheduler, this.wall, life),
      diskOf: (life) => this.disk.of(life),
      transportOf: (life) => this.receivers.transport(life),
      onReport: (...report) => this.reports.add(...report),
      tell: (what) => this.tell(name, what),
      onBug: (what) => this.problem(what),
    });
    this.#damageCheckpoints();
    this.processes.push(process);
    this.#process = process;
    this.tell(name, 'starts');
    // Whoever watches over it starts another one.
    process.life.onEnd.push(() => {
      this.tell(name, 'is gone');
      if (this.#process === process) this.#relaunch();
    });
    process.start(this.#wanted, this.#lives);
    return process;
  }

  #relaunch(): void {
    this.#process = undefined;
    this.scheduler.after(this.scheduler.prng.next() * RESTART_MS_MAX, undefined, () => {
      if (this.#process === undefined) this.launch();
    });
  }

  #drawHome(): SimulatedHome {
    const { scheduler, faults, archive } = this;
    const kind = scheduler.prng.pick(['contract', 'contract', 'embedded', 'jetstream']);
    if (kind === 'embedded') return new EmbeddedHome(scheduler, faults, archive);
    if (kind === 'jetstream') return new JetStreamHome(scheduler, faults.log, archive);
    return new LogServer(scheduler, faults.log, archive);
  }

  #definitionsOf(version: number): Definitions {
    return parseDefinitions(configOf(this.workload.versions[version]!.plan));
  }

  #putLives(): void {
    const { campaigns } = this.#wanted;
    for (const id of this.#lives.keys()) {
      if (!campaigns.some((one) => one.id === id)) this.#lives.delete(id);
    }
    for (const one of campaigns) {
      this.#lives.set(one.id, lifeWhenPut(one, this.#lives.get(one.id)));
    }
  }

  /** An operator changes the definitions, and tries until the system has taken them. */
  #change(version: number): void {
    this.#wanted = this.#definitionsOf(version);
    this.#putLives();
    this.tell('world', `wants version ${version} of the definitions`);
    this.#met(`campaign: ${this.workload.versions[version]!.change!}`);
    const wanted = this.#wanted;
    const attempt = () => {
      const process = this.#process;
      // A process that starts takes what is wanted by then.
      if (this.#wanted !== wanted || process === undefined) return;
      const again = () => void this.scheduler.after(200, process.life, attempt);
      if (!process.isReady) again();
      else process.redefine(wanted, this.#lives).catch(again);
    };
    attempt();
  }

  /** One after the other, each until the system has taken it. */
  #act(index: number): void {
    const process = this.#process;
    const again = () => void this.scheduler.after(200, undefined, () => this.#act(index));
    if (index > this.actionsDone || process?.isReady !== true) {
      again();
      return;
    }
    const action = this.workload.actions[index]!;
    const life = this.#lives.get(action.campaign);
    const next = life && lifeAfter(life, action.action);
    if (next !== undefined) this.#lives.set(action.campaign, next);
    this.tell('world', `wants to ${action.action} ${action.campaign}`);
    let isOver = false;
    process.life.onEnd.push(() => {
      if (!isOver) again();
      isOver = true;
    });
    const settle = (next: () => void) => {
      if (!isOver) next();
      isOver = true;
    };
    process.act(action, this.#wanted, this.#lives).then(
      () => settle(() => this.actionsDone++),
      () => settle(again),
    );
  }

  #strike(blow: Blow): void {
    const process = this.#process;
    this.tell('world', `strikes: ${JSON.stringify(blow)}`);
    if (blow.kind === 'clock') this.#setClock(blow.byMs);
    else if (blow.kind === 'leader') this.#takeLogAway(blow.awayMs);
    else if (blow.kind === 'events') this.#takeEventsAway(blow.awayMs);
    else if (blow.kind === 'trouble') this.#trouble(blow);
    else if (blow.kind === 'receiver') this.#silence(blow);
    else if (blow.kind === 'trap') this.#traps.push(blow);
    else if (process === undefined) return;
    else if (blow.kind === 'crash') this.#crash(process, blow);
    else if (blow.kind === 'stop') this.#stop(process, blow.patienceMs);
    else this.#takeOver(process, blow.livesOnMs);
  }

  /** Some happenings later, so that it hits between any two of them. */
  #crash(process: SimulatedProcess, { losesPower, steps }: Blow & { kind: 'crash' }): void {
    let left = steps;
    const wait = () => {
      if (left-- > 0) {
        this.scheduler.after(this.scheduler.prng.next() * 2, process.life, wait);
        return;
      }
      this.#kill(process, losesPower);
    };
    wait();
  }

  #kill(process: SimulatedProcess, losesPower: boolean): void {
    this.tell('world', `kills ${process.life.name}${losesPower ? ' and cuts the power' : ''}`);
    this.#met(losesPower ? 'process killed and power cut' : 'process killed');
    if (!process.isReady) this.#met('process killed before it was ready');
    process.kill();
    if (losesPower) this.disk.losePower();
  }

  /** It dies within what it was doing: whatever would have come next does not happen. */
  #spring(moment: Moment, process: SimulatedProcess | undefined): void {
    const at = this.#traps.findIndex((trap) => trap.moment === moment);
    const trap = this.#traps[at];
    if (trap === undefined || process === undefined) return;
    if (trap.skip > 0) {
      this.#traps[at] = { ...trap, skip: trap.skip - 1 };
      return;
    }
    this.#traps.splice(at, 1);
    this.#met(KILLED_AT[moment]);
    this.#kill(process, trap.losesPower);
  }

  /** Not within the call: a sender that goes on after it would send what nobody sends. */
  #sent(life: Life, what: string): void {
    this.tell(life.name, what);
    const process = this.#process;
    if (process?.senderLife !== life) return;
    this.scheduler.after(0, life, () => this.#spring('request', process));
  }

  #setClock(byMs: number): void {
    this.#met(byMs > 0 ? 'clock set forwards' : 'clock set back', Math.sign(Math.abs(byMs)));
    this.wall.jump(byMs);
  }

  #takeLogAway(awayMs: number): void {
    this.#met('log away');
    this.home.away(awayMs);
  }

  #takeEventsAway(awayMs: number): void {
    if (this.events === undefined) return;
    this.#met('events of NATS away');
    this.events.away(awayMs);
    // By the hand of somebody who sees that all is read, while the server is away and when it is back.
    for (const ms of [0, 2 * awayMs]) this.scheduler.after(ms, undefined, () => this.#makeAnew());
  }

  #makeAnew(): void {
    if (this.events?.makeAnew(this.#process?.natsPosition)) this.#met('events of NATS made anew');
  }

  #met(feature: Feature, times = 1): void {
    this.scheduler.coverage.met(feature, times);
  }

  #stop(process: SimulatedProcess, patienceMs: number): void {
    if (!process.isReady || process.isStopping) return;
    this.#met('process told to stop');
    process.stop().then(
      () => process.kill(),
      (error: unknown) => process.fail(error, 'stop'),
    );
    this.scheduler.after(patienceMs, process.life, () => {
      this.#met('process killed while it stopped');
      process.kill();
    });
  }

  /** The old one goes on, its sender too, until the log or its end stops it. */
  #takeOver(process: SimulatedProcess, livesOnMs: number): void {
    this.#met('process replaced while it went on');
    process.takenOverStep = this.scheduler.steps;
    this.#process = undefined;
    this.launch();
    this.scheduler.after(livesOnMs, process.life, () => process.kill());
  }

  #trouble({ where, share, forMs }: Blow & { kind: 'trouble' }): void {
    this.#met(`trouble with the ${where}`);
    const { disk, log, events } = this.faults;
    const faults = where === 'disk' ? disk : where === 'log' ? log : events;
    const shares =
      where === 'disk' ? { failing: share } : { lostRequests: share, lostAnswers: share };
    const before = { ...faults };
    Object.assign(faults, shares);
    this.scheduler.after(forMs, undefined, () => {
      if (!this.#isFaulty) return;
      for (const name of Object.keys(shares)) {
        Object.assign(faults, { [name]: before[name as keyof typeof before] });
      }
    });
  }

  #silence({ webhook, deadMs }: Blow & { kind: 'receiver' }): void {
    const faults = this.faults.receivers[webhook]!;
    const before = { ...faults };
    this.#met('receiver silent for a while');
    Object.assign(faults, { ...NO_RECEIVER_FAULTS, hanging: 1 });
    this.scheduler.after(deadMs, undefined, () => {
      if (this.#isFaulty) Object.assign(faults, before);
    });
  }

  /** Of two that are whole: the log must reach back to the older one, whatever the engine thinks. */
  #damageCheckpoints(): void {
    const { prng } = this.scheduler;
    if (!this.#isFaulty || !prng.chance(this.faults.damaged)) return;
    for (let partition = 0; partition < this.workload.partitionCount; partition++) {
      const [newest, older] = this.disk.checkpointsIn(`checkpoints/${partition}`);
      if (newest?.isWhole !== true || older?.isWhole !== true || !prng.chance(0.5)) continue;
      // Of two in a row one may be lost, not both.
      const offset = Number(/(\d+)-\d+\.ckpt$/.exec(newest.path)![1]);
      if (offset <= (this.#damagedOffsets.get(partition) ?? -1)) continue;
      this.#damagedOffsets.set(partition, offset);
      this.tell('world', `damages ${newest.path}`);
      this.disk.damage(newest.path);
      this.#met('checkpoint damaged');
    }
  }
}

function drawLimits(prng: Prng): ProcessLimits {
  return {
    inFlightBytesMax: prng.pick([500, 4_000, 64_000_000]),
    appendsMax: prng.pick([1, 2, 64]),
    deliveriesMax: prng.pick([3, 10, 20_000]),
    snapshotEvery: prng.pick([1, 5, 20]),
    doneRecordsKept: prng.pick([0, 10, 100_000]),
    checkpointIntervalMs: prng.pick([200, 1_000, 5_000, 30_000]),
  };
}
