import type { Campaign } from '../../operators/definitions.ts';

/** What a campaign has where a definition is silent; tests that build campaigns by hand spread it. */
export const CAMPAIGN_DEFAULTS = {
  labels: [],
  control: { percent: 0, custom: [] },
  repeat: { kind: 'each' },
  delayMs: 0,
  globalLimits: true,
  cap: {},
  schedule: {},
  suppressIfDone: true,
  onOpenWindows: 'keep',
} as const satisfies Partial<Campaign>;
