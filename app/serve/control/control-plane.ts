import { publicationComplaints } from '../../../config/definitions/run-time.ts';
import { LapseError, userError } from '../../../engine/errors/errors.ts';
import type { Log } from '../../../engine/log/log.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import {
  actionsFrom,
  type LifeAction,
  lifeAfter,
  withoutPublishedDrafts,
} from '../../../operators/campaign-life.ts';
import type { Control } from '../../../operators/campaign-pipeline.ts';
import type { Campaign, Definitions } from '../../../operators/definitions.ts';
import { changedIn, partitionDelta } from '../../../operators/definitions-delta.ts';
import { partitionDefinitions } from '../../../operators/partition-definitions.ts';
import type { Life } from '../../../operators/router/campaign-entry.ts';
import { checkDefinitionSizes } from '../definitions-size.ts';
import { ControlLog } from './control-log.ts';
import {
  type ControlChange,
  ControlState,
  type Missing,
  requestParts,
  wholeChanges,
} from './control-state.ts';
import { type DefinitionChange, differenceOf } from './difference.ts';
import { controlsFor } from './pending-controls.ts';
import { readRequestFile, writeRequestFile } from './request-file.ts';

export interface ControlPlaneOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly epoch: number;
  readonly dataFolder: string;
}

/** Who is told of changes, in this order: a delivery of a campaign that its lane does not know is cancelled. */
export interface ControlListeners {
  /** Resolves when the lanes go by it. */
  readonly lanes: (definitions: Definitions, lives: ReadonlyMap<string, Life>) => Promise<void>;
  /** Resolves when it is in the log of every partition. */
  readonly partitions: (control: Control) => Promise<void>;
}

/** Makes new definitions of those in force. @throws DefinitionsError */
export type Redefinition = (base: Definitions) => Definitions;

export interface ApplyOptions {
  /** Only says what would be different. @default false */
  readonly isDryRun?: boolean;
  /** @default 'request' */
  readonly origin?: 'files' | 'request';
}

export interface Applied {
  readonly changes: readonly DefinitionChange[];
  readonly isDryRun: boolean;
}

const TELL_AGAIN_MS = 250;

/**
 * The definitions and the lives of campaigns. A change is durable in the control topic before
 * anybody goes by it; then the lanes and the partitions are told. A crash between is made up for at
 * the next start. One change at a time.
 */
export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #log: ControlLog;
  readonly #state: ControlState;
  /** Of which the partitions may not have heard. */
  #untold: ControlChange[];
  #definitions: Definitions;
  #listeners: ControlListeners | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  /** Ids of what did not come from files that are given at each start. */
  readonly #kept: { readonly webhooks: Set<string>; readonly campaigns: Set<string> };
  /** Defined by files of an earlier start, or lost with the data folder. */
  #missing: Missing;

  private constructor(
    options: ControlPlaneOptions,
    log: ControlLog,
    loaded: { readonly state: ControlState; readonly untold: ControlChange[] },
  ) {
    const parts = readRequestFile(options.dataFolder);
    this.#options = options;
    this.#log = log;
    this.#state = loaded.state;
    this.#untold = loaded.untold;
    this.#definitions = this.#state.definitions(parts);
    this.#missing = this.#state.missingIn(parts);
    this.#kept = {
      webhooks: new Set(parts.webhooks.map(({ id }) => id)),
      campaigns: new Set(Object.keys(parts.contents)),
    };
  }

  /** Reads what is in force. @throws LapseError `ERR_REQUEST_FILE`, `ERR_FENCED`, the log's */
  static async open(options: ControlPlaneOptions): Promise<ControlPlane> {
    const log = await ControlLog.open(options);
    const { changes, isLong } = await log.read();
    const state = new ControlState();
    for (const { change } of changes) state.take(change);
    const untold = changes.filter(({ isTold }) => !isTold).map(({ change }) => change);
    if (isLong && untold.length === 0) await log.compact(wholeChanges(state));
    return new ControlPlane(options, log, { state, untold });
  }

  get definitions(): Definitions {
    return this.#definitions;
  }

  get lives(): ReadonlyMap<string, Life> {
    return this.#state.lives;
  }

  /** What is defined and cannot be sent: its deliveries wait. */
  get missing(): Missing {
    return this.#missing;
  }

  /** Lives as lanes go by them: a campaign without its content must not send. */
  get sendingLives(): ReadonlyMap<string, Life> {
    const lives = new Map(this.lives);
    for (const id of this.#missing.campaigns) {
      if (lives.get(id) === 'running') lives.set(id, 'paused');
    }
    return lives;
  }

  /** To be called once, when lanes and partitions run: tells what was not told before. */
  async connect(listeners: ControlListeners): Promise<void> {
    this.#listeners = listeners;
    await this.#inTurn(() => this.#tell());
  }

  /**
   * Puts definitions: what has the same id is replaced, and nothing is removed.
   * @param origin `files`: all that is changed is given again at each start, and so not kept
   * @throws DefinitionsError, LapseError `ERR_CAP_WEBHOOK`; nothing is changed then
   */
  apply(
    redefine: Redefinition,
    { isDryRun = false, origin = 'request' }: ApplyOptions = {},
  ): Promise<Applied> {
    return this.#inTurn(async () => {
      const before = this.#definitions;
      const after = withoutPublishedDrafts(redefine(before), this.lives);
      demandSameLane(before, after, this.lives);
      checkDefinitionSizes(partitionDefinitions(after));
      const changes = differenceOf(before, after);
      if (!isDryRun && changes.length > 0) {
        this.#keep(changes, origin === 'request');
        await this.#put(before, after);
      } else if (!isDryRun) {
        // Nothing else, but what was missing may have been given.
        this.#define(after);
        await this.#tell();
      }
      return { changes, isDryRun };
    });
  }

  /**
   * Does something to a campaign.
   * @returns its state
   * @throws LapseError `ERR_CAMPAIGN_UNKNOWN`, `ERR_CAMPAIGN_STATE`, `ERR_CAMPAIGN_RUN_TIME`
   */
  act(campaignId: string, action: LifeAction): Promise<Life> {
    return this.#inTurn(async () => {
      const campaign = this.#definitions.campaigns.find(({ id }) => id === campaignId);
      if (campaign === undefined) throw unknownCampaign(campaignId);
      const life = this.lives.get(campaignId) ?? 'draft';
      const next = lifeAfter(life, action);
      if (next === undefined) throw refusedAction(campaignId, action, life);
      if (action === 'publish') demandTime(campaign, this.#options.clock.now());
      await this.#change({ lives: [[campaignId, action]] }, this.#definitions);
      return next;
    });
  }

  /** Its cap is used up. Said again after a restart, so what fails is made up for. */
  async complete(campaignId: string): Promise<void> {
    if (lifeAfter(this.lives.get(campaignId) ?? 'draft', 'complete') === undefined) return;
    await this.act(campaignId, 'complete');
  }

  /** Resolves when no change is under way. */
  async idle(): Promise<void> {
    await this.#turn.catch(() => undefined);
  }

  async #put(before: Definitions, after: Definitions): Promise<void> {
    const { removed: _, ...delta } = partitionDelta(before, after) ?? {};
    const webhooks = after.webhooks.flatMap(({ id }) => (this.#state.hasWebhook(id) ? [] : [id]));
    // First, so that nothing in the log is without it.
    this.#store(after);
    try {
      await this.#change({ ...delta, ...(webhooks.length > 0 ? { webhooks } : {}) }, after);
    } catch (error) {
      if (this.#definitions !== after) this.#store(before);
      throw error;
    }
  }

  #keep(changes: readonly DefinitionChange[], isKept: boolean): void {
    for (const { kind, id = '' } of changes) {
      if (kind !== 'webhook' && kind !== 'campaign') continue;
      const ids = kind === 'webhook' ? this.#kept.webhooks : this.#kept.campaigns;
      if (isKept) ids.add(id);
      else ids.delete(id);
    }
  }

  #store({ webhooks, campaigns }: Definitions): void {
    const { dataFolder } = this.#options;
    const kept = requestParts({
      webhooks: webhooks.filter(({ id }) => this.#kept.webhooks.has(id)),
      campaigns: campaigns.filter(({ id }) => this.#kept.campaigns.has(id)),
    });
    writeRequestFile(dataFolder, kept);
  }

  async #change(change: ControlChange, definitions: Definitions): Promise<void> {
    if (Object.keys(change).length > 0) {
      await this.#log.append(change);
      this.#state.take(change);
      this.#untold.push(change);
    }
    if (definitions !== this.#definitions) this.#define(definitions);
    await this.#tell();
  }

  #define(definitions: Definitions): void {
    const before = new Map(this.#definitions.campaigns.map((one) => [one.id, one]));
    const { campaigns } = this.#missing;
    this.#definitions = definitions;
    // One that is as it was still lacks its content.
    const lacking = definitions.campaigns.filter((one) => before.get(one.id) === one);
    const ids = new Set(lacking.map(({ id }) => id));
    const missing = this.#state.missingIn(requestParts(definitions));
    this.#missing = { ...missing, campaigns: campaigns.filter((id) => ids.has(id)) };
  }

  async #tell(): Promise<void> {
    if (this.#listeners === undefined) return;
    await this.#listeners.lanes(this.#definitions, this.sendingLives);
    if (this.#untold.length === 0) return;
    for (const control of controlsFor(this.#untold, this.#options.clock.now())) {
      await this.#tellPartitions(control);
    }
    this.#untold = [];
    await this.#log.told();
  }

  /** Until it is there: the change holds already, and must not wait for the next start. */
  async #tellPartitions(control: Control): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      try {
        return await this.#listeners!.partitions(control);
      } catch (error) {
        const mayPass = error instanceof LapseError && error.retryable;
        if (!mayPass || error.code === 'ERR_STOPPING') throw error;
        await new Promise<void>((resolve) => {
          clock.at(clock.now() + TELL_AGAIN_MS, resolve);
        });
      }
    }
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run, run);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

/** A lane counts its campaigns' caps: on another one it would count anew. */
function demandSameLane(
  before: Definitions,
  after: Definitions,
  lives: ReadonlyMap<string, Life>,
): void {
  const known = new Map(before.campaigns.map((one) => [one.id, one]));
  for (const { id, webhook } of changedIn(before.campaigns, after.campaigns)) {
    const old = known.get(id);
    const isCapped = old?.cap.total !== undefined || old?.cap.perDay !== undefined;
    if (old === undefined || old.webhook === webhook || !isCapped) continue;
    if (lives.get(id) === 'draft') continue;
    const path = `campaigns.${id}.webhook`;
    throw userError(
      'ERR_CAP_WEBHOOK',
      `${path} must be ${old.webhook} as long as the campaign has a cap, got ${webhook}.`,
      { path },
    );
  }
}

function demandTime(campaign: Campaign, atMs: number): void {
  const [complaint] = publicationComplaints(campaign, atMs);
  if (complaint === undefined) return;
  const path = `campaigns.${campaign.id}.${complaint.path}`;
  throw userError('ERR_CAMPAIGN_RUN_TIME', `${path} ${complaint.rest}.`, { path });
}

function unknownCampaign(id: string): LapseError {
  return userError('ERR_CAMPAIGN_UNKNOWN', `There is no campaign ${JSON.stringify(id)}.`, { id });
}

function refusedAction(campaign: string, action: LifeAction, life: Life): LapseError {
  const allowed = actionsFrom(life);
  const may =
    allowed.length === 0 ? 'nothing may be done to it' : `it allows ${allowed.join(', ')}`;
  return userError(
    'ERR_CAMPAIGN_STATE',
    `The campaign ${campaign} is ${life}, so ${action} is refused: ${may}.`,
    { campaign, state: life, allowed },
  );
}
