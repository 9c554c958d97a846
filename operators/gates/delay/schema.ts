/** `delay: 30m`: how long after the qualification a delivery is due. */
import { DAY_MS, formatDuration } from '../../../engine/time/duration.ts';
import { duration, schemaOf } from '../../schema/leaf.ts';
import type { Range } from '../../schema/range.ts';
import { gateForm, NO_SETTINGS } from '../gate-form.ts';

export const delayLimits = {
  delayMs: { min: 0, max: 182 * DAY_MS, default: 0 },
} as const satisfies Record<string, Range>;

export const delayForm = gateForm({
  name: 'delay',
  limits: delayLimits,
  shape: {
    delay: schemaOf(duration(delayLimits.delayMs))
      .prefault(formatDuration(delayLimits.delayMs.default))
      .describe('How long after the qualification the delivery is due.'),
  },
  fieldsOf: ({ delay }) => ({ delayMs: delay }),
  settings: NO_SETTINGS,
  spanOf: ({ delayMs }) => ({ key: 'delay', ms: delayMs }),
});
