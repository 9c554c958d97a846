/** `schedule: {start, end}`: when the campaign runs. */
import { mapping, schemaOf } from '../../schema/leaf.ts';
import { present } from '../../schema/present.ts';
import { instantLeaf, startLeaf } from '../../schema/time-leaves.ts';
import { gateForm, NO_SETTINGS } from '../gate-form.ts';

const scheduleSchema = mapping({
  start: schemaOf(startLeaf)
    .prefault('now')
    .describe('When the campaign starts; now is the moment of its publication.'),
  end: schemaOf(instantLeaf)
    .describe('When it ends: what is due later is not sent. Absent: never.')
    .optional(),
}).refine(({ start, end }) => start === 'now' || end === undefined || end > start, {
  path: ['end'],
  message: 'must be after schedule.start',
});

export const runningForm = gateForm({
  name: 'running',
  limits: {},
  shape: {
    schedule: scheduleSchema.prefault({}).describe('When the campaign starts and ends.'),
  },
  fieldsOf: ({ schedule: { start, end } }) => ({
    schedule: present({ startAtMs: start === 'now' ? undefined : start, endAtMs: end }),
  }),
  settings: NO_SETTINGS,
});
