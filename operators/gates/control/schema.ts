/** `control`, and `settings.controlGroups`: who is measured and never sent anything. */
import * as z from 'zod';
import type { Settings } from '../../definitions.ts';
import { decimal, forms, idLeaf, listOf, mapping, schemaOf } from '../../schema/leaf.ts';
import type { Range } from '../../schema/range.ts';
import { gateForm } from '../gate-form.ts';

export const controlLimits = {
  systemPercent: { min: 0, max: 5, default: 0 },
  customPercent: { min: 0, max: 99, default: 0 },
  /** Custom groups of the account. */
  customGroups: { min: 0, max: 10, default: 0 },
  campaignPercent: { min: 0, max: 99, default: 0 },
} as const satisfies Record<string, Range>;
const { systemPercent, customPercent, customGroups, campaignPercent } = controlLimits;

const percentSchema = schemaOf(decimal(campaignPercent));

const controlSchema = forms(
  `a number between ${campaignPercent.min} and ${campaignPercent.max}, or {percent, custom}`,
  [
    percentSchema.transform((percent) => ({ percent, custom: [] as string[] })),
    mapping({
      percent: percentSchema.prefault(0).describe('Percent of those who qualify.'),
      custom: listOf(
        schemaOf(idLeaf),
        customGroups,
        `a list of at most ${customGroups.max} custom control groups`,
      )
        .prefault([])
        .describe('Custom control groups of settings.controlGroups that this campaign leaves out.'),
    }),
  ],
);

const customSchema = z
  .record(z.string(), schemaOf(decimal(customPercent)))
  .refine((groups) => Object.keys(groups).length <= customGroups.max, {
    message: `must be a mapping of at most ${customGroups.max} groups`,
  })
  .check(({ value, issues }) => {
    for (const name of Object.keys(value)) {
      if (idLeaf.read(name) !== undefined) continue;
      const message = `must be under ${idLeaf.wanted} as its name`;
      issues.push({ code: 'custom', message, path: [name], input: value });
    }
  });

const groupsSchema = mapping({
  system: schemaOf(decimal(systemPercent))
    .meta({ default: systemPercent.default })
    .describe('Percent of all users whom no campaign sends anything.')
    .optional(),
  custom: customSchema
    .meta({ default: {} })
    .describe('Percent of all users by the name of the group; campaigns name the groups.')
    .optional(),
});

export const controlForm = gateForm({
  name: 'control',
  limits: controlLimits,
  shape: {
    control: controlSchema
      .prefault(0)
      .describe(
        'Percent of those who qualify that are measured and not sent anything; ' +
          'or {percent, custom} to leave out custom control groups too.',
      ),
  },
  fieldsOf: ({ control: { percent, custom } }) => ({
    control: { percent, custom: [...new Set(custom)] },
  }),
  settings: {
    shape: { controlGroups: groupsSchema.describe('Control groups of the account.').optional() },
    of: ({ controlGroups }, base: Settings) => ({
      controlGroups: {
        system: controlGroups?.system ?? base.controlGroups.system,
        custom: { ...base.controlGroups.custom, ...controlGroups?.custom },
      },
    }),
    complaintOf: ({ controlGroups }) => {
      const { length } = Object.keys(controlGroups.custom);
      if (length <= customGroups.max) return undefined;
      const rest = `must be a mapping of at most ${customGroups.max} groups, got ${length} in all`;
      return { path: 'controlGroups.custom', rest };
    },
  },
});
