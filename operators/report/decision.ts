import type { GoalGroup } from '../goals/goal.ts';

/** What has been decided of one user and campaign; the facts that reports are made of. */
export type Decision =
  | { readonly type: 'qualified'; readonly window: string }
  | { readonly type: 'suppressed'; readonly reason: string }
  | { readonly type: 'deferred'; readonly reason: string; readonly untilMs: number }
  | {
      readonly type: 'converted';
      readonly group: GoalGroup;
      /** Absent when the goal names no property, or the event has no number there. */
      readonly revenue: number | undefined;
    };

export type Report = Decision & {
  /** Unix ms. */
  readonly atMs: number;
  readonly campaignId: string;
  readonly userId: string;
};
