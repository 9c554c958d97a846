import type {
  CampaignReport,
  Funnel,
  GroupReport,
} from '../../../operators/report/campaign-report.ts';
import { ExitCode, printJson, printLine } from '../command-line.ts';
import { ask } from '../control-client.ts';
import { serverUrl } from '../lapse-client.ts';
import { visibleText } from '../visible-text.ts';

export interface ReportOptions {
  readonly from?: string;
  readonly until?: string;
  readonly step?: string;
  readonly url?: string;
  readonly json?: boolean;
}

/** `lapse report`: the funnel of a campaign by reason, over time, with conversions and lift. */
export async function reportCommand(campaign: string, options: ReportOptions): Promise<number> {
  const url = serverUrl(options.url, process.env);
  const query = new URLSearchParams();
  for (const name of ['from', 'until', 'step'] as const) {
    if (options[name] !== undefined) query.set(name, options[name]);
  }
  const asked = query.size === 0 ? '' : `?${query}`;
  const path = `/api/campaigns/${encodeURIComponent(campaign)}/report${asked}`;
  const report = await ask<CampaignReport>(url, path);
  if (options.json === true) printJson(report);
  else for (const line of linesOf(report, options.step !== undefined)) printLine(line);
  return ExitCode.done;
}

function linesOf(report: CampaignReport, hasSteps: boolean): string[] {
  const { campaign, total, goal, steps } = report;
  const lines = [`Campaign ${visibleText(campaign)}`, ...funnelLines(total)];
  if (goal.target.users > 0 || goal.control.users > 0) {
    lines.push('', groupLine('target', goal.target), groupLine('control', goal.control));
    if (goal.lift !== undefined) {
      const { difference, differenceInterval, relative, method, confidence } = goal.lift;
      const { low, high } = differenceInterval;
      const share = relative === undefined ? '' : `, ${percent(relative)} of the control rate`;
      lines.push(
        `  lift       ${points(difference)} (${points(low)} to ${points(high)} at ` +
          `${percent(confidence)} confidence, ${method})${share}`,
      );
    }
  }
  if (hasSteps) {
    lines.push('', 'from                      qualified  suppressed  queued  delivered  failed');
    for (const step of steps) lines.push(stepLine(step));
  }
  return lines;
}

function funnelLines({ qualified, suppressed, deferred, queued, delivered, failed }: Funnel) {
  return [
    countLine('qualified', qualified),
    ...Object.entries(suppressed).map(([reason, count]) => countLine(`  − ${reason}`, count)),
    ...Object.entries(deferred).map(([reason, count]) => countLine(`  put off: ${reason}`, count)),
    countLine('queued', queued),
    countLine('delivered', delivered),
    ...Object.entries(failed).map(([reason, count]) => countLine(`  − ${reason}`, count)),
  ];
}

function countLine(name: string, count: number): string {
  return `  ${visibleText(name).padEnd(28)}${String(count).padStart(10)}`;
}

function groupLine(name: string, { users, conversions, rate, revenue }: GroupReport): string {
  return `  ${name.padEnd(9)}  ${conversions} of ${users} users converted (${percent(rate)}), revenue ${revenue}`;
}

function stepLine(step: Funnel & { readonly from: string }): string {
  const sum = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((total, count) => total + count, 0);
  const cells = [
    step.qualified,
    sum(step.suppressed),
    step.queued,
    step.delivered,
    sum(step.failed),
  ];
  const [qualified, suppressed, queued, delivered, failed] = cells.map(String) as [
    string,
    string,
    string,
    string,
    string,
  ];
  return `${step.from}  ${qualified.padStart(9)}  ${suppressed.padStart(10)}  ${queued.padStart(6)}  ${delivered.padStart(9)}  ${failed.padStart(6)}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function points(difference: number): string {
  return `${difference >= 0 ? '+' : ''}${(difference * 100).toFixed(2)} points`;
}
