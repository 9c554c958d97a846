/** `suppressIfDoneBeforeSend`: not to remind a user of what they have done meanwhile (E5). */
import { flag, schemaOf } from '../../schema/leaf.ts';
import { gateForm, NO_SETTINGS } from '../gate-form.ts';

export const doneBeforeSendForm = gateForm({
  name: 'done-before-send',
  limits: {},
  shape: {
    suppressIfDoneBeforeSend: schemaOf(flag)
      .prefault(true)
      .describe(
        'Nothing is sent when the `without` event, or the event of the goal, came between the ' +
          'qualification and the send.',
      ),
  },
  fieldsOf: ({ suppressIfDoneBeforeSend }) => ({ suppressIfDone: suppressIfDoneBeforeSend }),
  settings: NO_SETTINGS,
});
