/** `cap: {total, perDay, perRun}`: how many deliveries a campaign makes at most. */
import { integer, mapping, schemaOf } from '../../schema/leaf.ts';
import { present } from '../../schema/present.ts';
import type { Range } from '../../schema/range.ts';
import { gateForm, NO_SETTINGS } from '../gate-form.ts';

export const capLimits = {
  cap: { min: 1, max: 1_000_000_000, default: 1_000_000_000 },
} as const satisfies Record<string, Range>;

const numberSchema = schemaOf(integer(capLimits.cap));

const capSchema = mapping({
  total: numberSchema
    .describe('Deliveries in all; the campaign completes when it is reached.')
    .optional(),
  perDay: numberSchema.describe("Deliveries a calendar day of the account's zone.").optional(),
  perRun: numberSchema
    .describe('Deliveries a run of a recurring campaign; a live campaign has one run.')
    .optional(),
}).refine((cap) => Object.values(cap).some((one) => one !== undefined), {
  message: 'must be a mapping with at least one of total, perDay, perRun',
});

export const capForm = gateForm({
  name: 'cap',
  limits: capLimits,
  shape: {
    cap: capSchema
      .describe('How many deliveries the campaign makes at most. Absent: no limit.')
      .optional(),
  },
  fieldsOf: ({ cap }) => ({ cap: present(cap ?? {}) }),
  settings: NO_SETTINGS,
});
