import type { InactionRule } from '../../operators/definitions.ts';

/**
 * The slow, obvious model of inaction (SPEC 2.1): plain objects in plain lists, every list walked
 * whole for every record. Rules here have no filters; events carry `cart` as match value.
 */
export interface ModelEvent {
  readonly user: string;
  readonly name: string;
  readonly eventAtMs: number;
  readonly receivedAtMs: number;
  readonly messageId: string;
  readonly cart?: string;
  readonly historyOnly?: boolean;
}

export interface ModelQualification {
  readonly campaignId: string;
  readonly user: string;
  readonly atMs: number;
  /** Message id of the event whose properties the payload holds. */
  readonly newest: string;
  /** Message id of the event that opened the window. */
  readonly opener: string;
}

interface ModelWindow {
  readonly campaignId: string;
  readonly user: string;
  readonly cart: string | undefined;
  readonly firstAtMs: number;
  anchorAtMs: number;
  newest: string;
  readonly opener: string;
  restarts: number;
  notBeforeMs: number;
}

export interface ModelCampaign {
  readonly id: string;
  readonly rule: InactionRule;
  readonly publishedAtMs: number;
}

const REORDER_MS = 5_000;

export class InactionModel {
  readonly #campaigns: readonly ModelCampaign[];
  #windows: ModelWindow[] = [];
  readonly #cancels: { campaignId: string; event: ModelEvent }[] = [];
  readonly #seen = new Set<string>();
  readonly qualifications: ModelQualification[] = [];

  constructor(campaigns: readonly ModelCampaign[]) {
    this.#campaigns = [...campaigns].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get openWindows(): number {
    return this.#windows.length;
  }

  event(event: ModelEvent): void {
    this.passTime(event.receivedAtMs - 1);
    const asked = this.#campaigns.some(
      ({ rule }) =>
        rule.did.event === event.name || rule.without.some((w) => w.event === event.name),
    );
    if (!asked) return;
    const id = `${event.user}\n${event.messageId}`;
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    for (const campaign of this.#campaigns) this.#cancel(campaign, event);
    if (event.historyOnly) return;
    for (const campaign of this.#campaigns) this.#open(campaign, event);
  }

  /** Fires everything due at or before `untilMs`. */
  passTime(untilMs: number): void {
    const due = this.#windows.filter((window) => this.#dueAtMs(window) <= untilMs);
    due.sort(
      (a, b) =>
        this.#dueAtMs(a) - this.#dueAtMs(b) ||
        compare(a.user, b.user) ||
        compare(a.campaignId, b.campaignId),
    );
    for (const window of due) {
      this.qualifications.push({
        campaignId: window.campaignId,
        user: window.user,
        atMs: this.#dueAtMs(window),
        newest: window.newest,
        opener: window.opener,
      });
    }
    this.#windows = this.#windows.filter((window) => !due.includes(window));
  }

  #endOf(window: ModelWindow): number {
    const { rule } = this.#campaigns.find(({ id }) => id === window.campaignId)!;
    return Math.min(window.anchorAtMs + rule.withinMs, window.firstAtMs + rule.maxExtendMs);
  }

  #dueAtMs(window: ModelWindow): number {
    const { rule } = this.#campaigns.find(({ id }) => id === window.campaignId)!;
    return Math.max(this.#endOf(window) + rule.graceMs, window.notBeforeMs);
  }

  #cancel(campaign: ModelCampaign, event: ModelEvent): void {
    const { rule, id } = campaign;
    if (!rule.without.some((without) => without.event === event.name)) return;
    if (rule.match !== undefined && event.cart === undefined) return;
    this.#windows = this.#windows.filter(
      (window) =>
        !(
          window.campaignId === id &&
          window.user === event.user &&
          (rule.match === undefined || window.cart === event.cart) &&
          event.eventAtMs > window.anchorAtMs &&
          event.eventAtMs <= this.#endOf(window)
        ),
    );
    this.#cancels.push({ campaignId: id, event });
  }

  #open(campaign: ModelCampaign, event: ModelEvent): void {
    const { rule, id } = campaign;
    if (rule.did.event !== event.name || event.eventAtMs < campaign.publishedAtMs) return;
    if (rule.match !== undefined && event.cart === undefined) return;
    const overtook = this.#cancels.some(
      ({ campaignId, event: cancel }) =>
        campaignId === id &&
        cancel.user === event.user &&
        (rule.match === undefined || cancel.cart === event.cart) &&
        cancel.receivedAtMs >= event.receivedAtMs - REORDER_MS &&
        cancel.eventAtMs > event.eventAtMs &&
        cancel.eventAtMs <= event.eventAtMs + rule.withinMs,
    );
    if (overtook) return;
    const mine = this.#windows.filter((w) => w.campaignId === id && w.user === event.user);
    if (rule.onRepeat !== 'parallel') {
      const same = mine.find(
        (w) =>
          (rule.match === undefined || w.cart === event.cart) && event.eventAtMs <= this.#endOf(w),
      );
      if (same !== undefined) {
        if (rule.onRepeat === 'keepFirst' || event.eventAtMs < same.anchorAtMs) return;
        if (same.restarts >= 100) return;
        same.anchorAtMs = event.eventAtMs;
        same.newest = event.messageId;
        same.restarts++;
        same.notBeforeMs = event.receivedAtMs;
        return;
      }
    }
    if (mine.length >= 25) return;
    this.#windows.push({
      campaignId: id,
      user: event.user,
      cart: rule.match === undefined ? undefined : event.cart,
      firstAtMs: event.eventAtMs,
      anchorAtMs: event.eventAtMs,
      newest: event.messageId,
      opener: event.messageId,
      restarts: 0,
      notBeforeMs: event.receivedAtMs,
    });
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
