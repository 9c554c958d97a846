/** What webhooks' URLs show by themselves of where they lead; the rest is seen at each connection. */
import { EgressGuard } from '../../connectors/webhook/egress/egress-guard.ts';
import { describeValue } from '../../engine/errors/wording.ts';
import type { FileInput } from './file-schema.ts';
import { UNSET } from './placeholders.ts';
import type { DefinitionsProblem } from './problem.ts';

/** @param allow the setting `egress.allow` */
export function egressProblems(
  files: readonly { readonly file: string; readonly input: FileInput }[],
  allow: readonly string[],
): DefinitionsProblem[] {
  const guard = new EgressGuard({ allow });
  return files.flatMap(({ file, input }) =>
    (input.webhooks ?? []).flatMap(({ url }, index) => {
      // A host that is still to be set is seen when it is.
      if (!URL.canParse(url) || new URL(url).hostname.includes(UNSET)) return [];
      const wanted = guard.urlRefusal(url);
      if (wanted === undefined) return [];
      const path = `webhooks[${index}].url`;
      // Only the host: the rest of a URL may hold a key.
      const message = `${path} must be ${wanted}, got ${describeValue(new URL(url).host)}`;
      return [{ file, path, message, code: 'ERR_EGRESS' }];
    }),
  );
}
