/** The whole of a definitions file. */
import * as z from 'zod';
import { segmentSchema } from '../../operators/audience/schema.ts';
import { mapping } from '../../operators/schema/leaf.ts';
import { campaignSchema } from './campaign-schema.ts';
import { runtimeShape } from './runtime-table.ts';
import { settingsSchema } from './settings-schema.ts';
import { webhookSchema } from './webhook-schema.ts';

export const fileSchema = mapping({
  /** For editors that read it from JSON files. */
  $schema: z.unknown().describe('Names the JSON Schema, for editors.').optional(),
  settings: settingsSchema.describe('Settings of the account.').optional(),
  webhooks: z.array(webhookSchema).describe('Saved endpoints.').optional(),
  segments: z.array(segmentSchema).describe('Saved audiences.').optional(),
  campaigns: z
    .array(campaignSchema)
    .describe('Who qualifies, and what is sent to whom.')
    .optional(),
  ...runtimeShape,
});

export type FileInput = z.output<typeof fileSchema>;
