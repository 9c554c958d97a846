/** Every command with its options and its help; the work is in `commands/`. */
import { Command } from 'commander';
import { LAPSE_VERSION } from '../../config/definitions/version.ts';
import { userError } from '../../engine/errors/errors.ts';
import { DEFAULT_URL } from './lapse-client.ts';

/** In the language already, so that they are refused by name and not taken for typing errors. */
export const NOT_BUILT_COMMANDS = [...['backtest', 'deliveries', 'explain', 'replay']] as const;

const COLUMNS_MAX = 100;
const URL_OPTION = ['--url <url>', `a running Lapse (LAPSE_URL, default: ${DEFAULT_URL})`] as const;

/**
 * Commands are imported when they are called, so that each starts with no more than it needs.
 * @param onOutcome gets the exit code of the command that ran
 */
export function program(onOutcome: (exitCode: number) => void): Command {
  const lapse = new Command('lapse')
    .description(
      'Sends a webhook the moment a user does something, or has not done something for long enough.',
    )
    .version(LAPSE_VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print help of a command')
    .option('--json', 'machine-readable output')
    .configureHelp({ showGlobalOptions: true, helpWidth: COLUMNS_MAX })
    // Errors are printed by whoever parses, as sentences like all others.
    .configureOutput({ outputError: () => {} })
    .exitOverride();
  addServe(lapse, onOutcome);
  addSimulate(lapse, onOutcome);
  addValidate(lapse, onOutcome);
  addGraph(lapse, onOutcome);
  addReport(lapse, onOutcome);
  addApply(lapse, onOutcome);
  addGet(lapse, onOutcome);
  for (const [action, does] of ACTIONS) addAction(lapse, onOutcome, action, does);
  addImport(lapse, onOutcome);
  addSend(lapse, onOutcome);
  addReceive(lapse, onOutcome);
  addBench(lapse, onOutcome);
  addCompletion(lapse);
  for (const name of NOT_BUILT_COMMANDS) addNotBuilt(lapse, name);
  const example = examples('lapse serve --demo', 'lapse send --help');
  return lapse.addHelpText(
    'after',
    `${example}\nIn the language, not built yet: ${NOT_BUILT_COMMANDS.join(', ')}.\n` +
      'Exit codes: 0 done, 1 failed, 2 wrong usage or wrong input.',
  );
}

function examples(...lines: readonly string[]): string {
  return `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

type OnOutcome = (exitCode: number) => void;

function addServe(lapse: Command, onOutcome: OnOutcome): void {
  lapse
    .command('serve')
    .description(
      'Runs the engine with its doors until SIGTERM or SIGINT, which drain it: intake stops, ' +
        'attempts under way are finished, state is kept.',
    )
    .option('--config <path...>', 'definitions: files or folders')
    .option('--data <dir>', 'data folder (LAPSE_DATA, default: lapse-data)')
    .option('--nats <url>', 'NATS server: its JetStream is the log, its events come in (NATS_URL)')
    .option('--host <host>', 'address to listen on (LAPSE_HOST, default: 127.0.0.1)')
    .option('--port <n>', 'port to listen on, 0 for any free one (LAPSE_PORT, default: 8080)')
    .option('--ops <host:port>', 'serve /metrics, /healthz and /readyz on any address (LAPSE_OPS)')
    .option('--origins <urls>', 'origins of web pages that may send events (LAPSE_ORIGINS)')
    .option(
      '--egress <list>',
      'private receivers that may be reached: addresses, ranges, names (LAPSE_EGRESS_ALLOW)',
    )
    .option('--demo', 'a made-up shop, two campaigns and a receiver, instead of --config')
    .addHelpText(
      'after',
      `\nThe demo keeps its data in a temporary folder unless --data names one.\n` +
        examples(
          'lapse serve --config config/examples/cart-abandoned.yaml',
          'lapse serve --config campaigns/ --nats nats://127.0.0.1:4222',
          'lapse serve --demo',
        ),
    )
    .action(async (options) => {
      const { serveCommand } = await import('./commands/serve.ts');
      onOutcome(await serveCommand({ ...lapse.opts(), ...options }));
    });
}

function addSimulate(lapse: Command, onOutcome: OnOutcome): void {
  lapse
    .command('simulate')
    .description(
      'Runs campaigns over a file of events on a simulated clock, with no network, and writes ' +
        'down as NDJSON what happens.',
    )
    .requiredOption('--config <path...>', 'definitions: files or folders')
    .requiredOption('--events <file>', 'NDJSON, plain or gzip; - for standard input')
    .option('--receiver <file>', 'what receivers answer, YAML (default: 200 at once)')
    .option('--from <instant>', 'when campaigns are published (default: the first line)')
    .option('--until <instant>', 'when it ends (default: when nothing is pending)')
    .option('--partitions <n>', 'partitions to run with; the output is the same for any')
    .option('--out <file>', 'NDJSON output, - for standard output', '-')
    .addHelpText(
      'after',
      '\nLines that are refused are written down with their number; the exit code is 1 when all are.\n' +
        examples('lapse simulate --config campaigns.yaml --events yesterday.ndjson.gz'),
    )
    .action(async (options) => {
      const { simulateCommand } = await import('./commands/simulate.ts');
      onOutcome(await simulateCommand({ ...lapse.opts(), ...options }));
    });
}

function addValidate(lapse: Command, onOutcome: OnOutcome): void {
  lapse
    .command('validate')
    .description('Checks definitions; says where, what must be, and what it is.')
    .argument('<path...>', 'files or folders')
    .addHelpText('after', examples('lapse validate app/demo/demo.yaml'))
    .action(async (paths: string[]) => {
      const { validateCommand } = await import('./commands/validate.ts');
      onOutcome(validateCommand(paths, lapse.opts()));
    });
}

function addGraph(lapse: Command, onOutcome: OnOutcome): void {
  lapse
    .command('graph')
    .description(
      'Prints the dataflow graph: of definitions, or of a running Lapse with records per second.',
    )
    .option('--config <path...>', 'definitions: files or folders')
    .option(...URL_OPTION)
    .option('--format <format>', 'text, mermaid or json', 'text')
    .addHelpText(
      'after',
      examples('lapse graph --config app/demo/demo.yaml', 'lapse graph --format mermaid'),
    )
    .action(async (options) => {
      const { graphCommand } = await import('./commands/graph.ts');
      onOutcome(await graphCommand({ ...lapse.opts(), ...options }));
    });
}

function addReport(lapse: Command, onOutcome: OnOutcome): void {
  lapse
    .command('report')
    .description(
      'Prints what became of the users of a campaign: each gate’s refusals, deliveries, conversions.',
    )
    .argument('<campaign>', 'id of a campaign')
    .option('--from <instant>', 'count from this hour on')
    .option('--until <instant>', 'count up to this hour')
    .option('--step <duration>', 'a line for each step, whole hours')
    .option(...URL_OPTION)
    .addHelpText(
      'after',
      examples('lapse report cart-abandoned', 'lapse report cart-abandoned --step 1d'),
    )
    .action(async (campaign: string, options) => {
      const { reportCommand } = await import('./commands/report.ts');
      onOutcome(await reportCommand(campaign, { ...lapse.opts(), ...options }));
    });
}

const ACTIONS = [
  ['publish', 'Starts a draft: from now on it takes users in, unless its start lies ahead.'],
  ['pause', 'Has a campaign open nothing and send nothing until it is resumed; nothing is lost.'],
  ['resume', 'Has a paused campaign go on.'],
  ['stop', 'Ends a campaign for good: open windows and waiting deliveries are cancelled.'],
  ['archive', 'Ends a campaign for good and puts it away.'],
] as const;

function addApply(lapse: Command, onOutcome: OnOutcome): void {
  lapse
    .command('apply')
    .description(
      'Puts definitions into a running Lapse and prints what is different. What has the same id ' +
        'is replaced, and nothing is removed.',
    )
    .argument('<path...>', 'files or folders')
    .option('--dry-run', 'only print what is different')
    .option(...URL_OPTION)
    .addHelpText('after', examples('lapse apply campaigns/ --dry-run', 'lapse apply campaigns/'))
    .action(async (paths: string[], options) => {
      const { applyCommand } = await import('./commands/apply.ts');
      onOutcome(await applyCommand(paths, { ...lapse.opts(), ...options }));
    });
}

function addGet(lapse: Command, onOutcome: OnOutcome): void {
  lapse
    .command('get')
    .description('Prints what is defined in a running Lapse, and the states of campaigns.')
    .argument('<kind>', 'campaigns, webhooks or segments')
    .argument('[id]', 'one of them, with everything')
    .option(...URL_OPTION)
    .addHelpText('after', examples('lapse get campaigns', 'lapse get campaign cart-abandoned'))
    .action(async (kind: string, id: string | undefined, options) => {
      const { getCommand } = await import('./commands/campaigns.ts');
      onOutcome(await getCommand(kind, id, { ...lapse.opts(), ...options }));
    });
}

function addAction(lapse: Command, onOutcome: OnOutcome, action: string, does: string): void {
  lapse
    .command(action)
    .description(does)
    .argument('<campaign>', 'id of a campaign')
    .option(...URL_OPTION)
    .addHelpText('after', examples(`lapse ${action} cart-abandoned`))
    .action(async (campaign: string, options) => {
      const { actCommand } = await import('./commands/campaigns.ts');
      onOutcome(await actCommand(action, campaign, { ...lapse.opts(), ...options }));
    });
}

function addImport(lapse: Command, onOutcome: OnOutcome): void {
  lapse
    .command('import')
    .description('Sends files of events to a running Lapse, each user’s in the order of the file.')
    .argument('<file...>', 'NDJSON, plain or gzip; - for standard input')
    .option(...URL_OPTION)
    .addHelpText(
      'after',
      '\nAn event without a messageId gets one made of what is in the file and its line, so an\n' +
        'import that is repeated within 24 hours adds nothing. Events that are refused are listed\n' +
        'with their line, the others go in, and the exit code is 1. A broken connection, or a Lapse\n' +
        'that restarts, is waited for up to 5 minutes. At the end it says how many events were new,\n' +
        'known already, or too old to trigger.\n' +
        examples('lapse import events.ndjson.gz', 'zcat *.gz | lapse import -'),
    )
    .action(async (files: string[], options) => {
      const { importCommand } = await import('./commands/import.ts');
      onOutcome(await importCommand(files, { ...lapse.opts(), ...options }));
    });
}

function addSend(lapse: Command, onOutcome: OnOutcome): void {
  const collect = (value: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    value,
  ];
  lapse
    .command('send')
    .description('Sends one event of a user to a running Lapse, with or without traits.')
    .argument('[event]', 'name of the event; only traits are sent without it')
    .option('--user <id>', 'whose event it is')
    .option('--anonymous <id>', 'the anonymous id, with or instead of --user')
    .option('--prop <k=v>', 'a property of the event; give it once for each', collect)
    .option('--trait <k=v>', 'something that is known of the user; once for each', collect)
    .option(...URL_OPTION)
    .addHelpText(
      'after',
      '\nA value that is JSON is taken as such: 42, true, null, [1,2], {"a":1}. Anything else is a\n' +
        'text; a number in double quotes is a text too.\n' +
        examples(
          'lapse send "Order Completed" --user ada --prop total=250 --prop currency=USD',
          'lapse send "Added To Cart" --user ada --trait plan=gold --prop \'zip="01067"\'',
        ),
    )
    .action(async (event: string | undefined, options) => {
      const { sendCommand } = await import('./commands/send.ts');
      onOutcome(await sendCommand(event, { ...lapse.opts(), ...options }));
    });
}

function addReceive(lapse: Command, onOutcome: OnOutcome): void {
  lapse
    .command('receive')
    .description('Receives webhooks for trying things: prints each, and misbehaves when asked to.')
    .option('--port <n>', 'port to listen on, 0 for any free one (default: 9000)')
    .option('--fail <rate>', 'share of requests answered with 500, such as 0.1 or 10%')
    .option('--latency <duration>', 'wait before each answer, such as 250ms')
    .option('--secret <whsec>', 'check signatures, and answer 401 to what is signed badly')
    .addHelpText('after', examples('lapse receive --port 9000 --fail 10% --latency 250ms'))
    .action(async (options) => {
      const { receiveCommand } = await import('./commands/receive-command.ts');
      onOutcome(await receiveCommand({ ...lapse.opts(), ...options }));
    });
}

function addBench(lapse: Command, onOutcome: OnOutcome): void {
  lapse
    .command('bench')
    .description('Runs the benchmarks, or the one that is named; arguments go on to it.')
    .argument('[name]', 'path, door, latency or windows')
    .argument('[args...]', 'arguments of the benchmark')
    .allowUnknownOption()
    .addHelpText('after', examples('lapse bench path', 'lapse bench latency -- --seconds 20'))
    .action(async (_name, _args, _options, command: Command) => {
      const { benchCommand } = await import('./commands/bench.ts');
      onOutcome(await benchCommand(command.args, lapse.opts().json === true));
    });
}

function addCompletion(lapse: Command): void {
  lapse
    .command('completion')
    .description('Prints a script that completes commands and options in a shell.')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      examples('eval "$(lapse completion bash)"', 'lapse completion fish | source'),
    )
    .action(async (shell: string) => {
      const { completionCommand } = await import('./commands/completion.ts');
      completionCommand(shell, lapse, lapse.opts().json === true);
    });
}

function addNotBuilt(lapse: Command, name: string): void {
  lapse
    .command(name, { hidden: true })
    .description(`Not built yet in this version of Lapse (${LAPSE_VERSION}).`)
    .argument('[args...]')
    .allowUnknownOption()
    .action(() => {
      throw userError(
        'ERR_NOT_BUILT',
        `The command ${name} is not built yet in this version of Lapse (${LAPSE_VERSION}).`,
      );
    });
}
