/** The whole of a definitions file. */
import * as z from 'zod';
import { isTimeZone } from '../../engine/time/zone.ts';
import { campaignSchema } from './campaign-schema.ts';
import { type Leaf, mapping, schemaOf } from './leaf.ts';
import { runtimeShape } from './runtime-table.ts';
import { webhookSchema } from './webhook-schema.ts';

const timezoneLeaf: Leaf<string> = {
  wanted: 'the IANA name of a time zone, like Asia/Kolkata',
  read: (value) => (typeof value === 'string' && isTimeZone(value) ? value : undefined),
  json: { type: 'string', description: 'An IANA name like Asia/Kolkata.' },
};

export const fileSchema = mapping({
  /** For editors that read it from JSON files. */
  $schema: z.unknown().optional(),
  settings: mapping({ timezone: schemaOf(timezoneLeaf).optional() }).optional(),
  webhooks: z.array(webhookSchema).optional(),
  campaigns: z.array(campaignSchema).optional(),
  ...runtimeShape,
});

export type FileInput = z.output<typeof fileSchema>;
