/** docs/ERRORS.md, made of config/errors.yaml. */
import { parse } from 'yaml';

export interface ErrorEntry {
  readonly group: string;
  readonly code: string;
  readonly means: string;
  readonly do: string;
}

/** @param yaml the text of config/errors.yaml */
export function errorEntries(yaml: string): ErrorEntry[] {
  const groups = parse(yaml) as Record<string, Record<string, { means: string; do: string }>>;
  return Object.entries(groups).flatMap(([group, codes]) =>
    Object.entries(codes).map(([code, entry]) => ({ group, code, ...entry })),
  );
}

const HEAD = `<!-- Made by \`node scripts/write-docs.mjs\` of config/errors.yaml. Do not edit it here. -->
# Errors

Every error, refusal and warning of Lapse carries a code. The command line prints it after the
sentence: \`… [ERR_USAGE]\`. HTTP answers, logs and \`--json\` have it as \`code\`. A code never
changes its meaning; the sentence beside it may.

The command line exits with 2 when its user can correct the error (wrong usage or wrong input),
otherwise with 1.
`;

export function errorsPage(yaml: string): string {
  const entries = errorEntries(yaml);
  const groups = [...new Set(entries.map(({ group }) => group))];
  const sections = groups.map((group) => {
    const rows = entries
      .filter((entry) => entry.group === group)
      .map((entry) => `| \`${entry.code}\` | ${cell(entry.means)} | ${cell(entry.do)} |`);
    return `## ${group}\n\n| Code | Meaning | Remedy |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return [HEAD, ...sections].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
