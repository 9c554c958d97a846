/** `settings:` of a definitions file. */
import type * as z from 'zod';
import { formatDuration } from '../../engine/time/duration.ts';
import type { Settings } from '../../operators/definitions.ts';
import { gateSettingsOf, gateSettingsShape } from '../../operators/gates/schemas.ts';
import { duration, mapping, schemaOf } from '../../operators/schema/leaf.ts';
import { timezoneLeaf } from '../../operators/schema/time-leaves.ts';
import { historyLimits } from '../limits.ts';

const { retentionMs } = historyLimits;

/** Keys are optional and have no defaults here, because several files may share them. */
export const settingsSchema = mapping({
  timezone: schemaOf(timezoneLeaf)
    .meta({ default: 'UTC' })
    .describe("The account's time zone, for users whose own is not known.")
    .optional(),
  ...gateSettingsShape,
  history: mapping({
    retention: schemaOf(duration(retentionMs))
      .meta({ default: formatDuration(retentionMs.default) })
      .describe('How long events are kept for past behaviour.')
      .optional(),
  })
    .describe('What is kept of the past.')
    .optional(),
});

type SettingsInput = z.output<typeof settingsSchema>;
type Mapping = Record<string, unknown>;

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Keys of `over` win; each of them is in one file, which the cross-check makes sure of. */
function merged(under: Mapping, over: Mapping): Mapping {
  const result = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const other = result[key];
    if (value === undefined) continue;
    result[key] = isMapping(other) && isMapping(value) ? merged(other, value) : value;
  }
  return result;
}

/**
 * The settings as the engine knows them.
 * @param inputs of all files
 * @param base what holds where they are silent
 */
export function settingsOf(inputs: readonly SettingsInput[], base: Settings): Settings {
  const input: SettingsInput = inputs.reduce<Mapping>(merged, {});
  return {
    ...base,
    timezone: input.timezone ?? base.timezone,
    ...gateSettingsOf(input, base),
    historyRetentionMs: input.history?.retention ?? base.historyRetentionMs,
  };
}
