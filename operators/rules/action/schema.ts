/** `action: {event, where}`: fires when the event is processed. */
import type { ActionRule } from '../../definitions.ts';
import { eventMatchShape } from '../../schema/event-match.ts';
import { mapping } from '../../schema/leaf.ts';
import { present } from '../../schema/present.ts';
import type { RuleForm } from '../rule-form.ts';

export const actionSchema = mapping(eventMatchShape).transform(
  (input): ActionRule => ({ kind: 'action', on: present(input) }),
);

export const actionForm: RuleForm<ActionRule> = {
  schema: actionSchema.describe('Fires as soon as the user does this.'),
  limits: {},
  spanOf: () => undefined,
};
