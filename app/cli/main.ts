/** The command line: parses, runs a command, and ends with its exit code. */
import { CommanderError } from 'commander';
import { userError } from '../../engine/errors/errors.ts';
import { ExitCode, reportFailure } from './command-line.ts';
import { program } from './program.ts';

/**
 * Whoever reads our output may have enough of it, as `head` has; that is no failure. A log that
 * nobody reads any more, as when its terminal was closed, is no reason to stop.
 */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(ExitCode.done);
  if (error.code !== 'EIO') throw error;
});
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
});

async function main(args: readonly string[]): Promise<number> {
  let exitCode: number = ExitCode.done;
  const lapse = program((outcome) => {
    exitCode = outcome;
  });
  const ownArgs = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  try {
    if (args.length === 0) lapse.outputHelp();
    else await lapse.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.done;
    return reportFailure(usageErrorOf(error), ownArgs.includes('--json'));
  }
}

/** The parser's complaints become sentences with a code, like all others. */
function usageErrorOf(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  if (error.code === 'commander.help') {
    return userError('ERR_USAGE', 'A command must be given; lapse --help lists them.');
  }
  const text = error.message.replace(/^error: /, '').replace(/\n\(?(.*?)\)?$/, ' ($1)');
  return userError('ERR_USAGE', `${text.charAt(0).toUpperCase()}${text.slice(1)}`);
}

process.exitCode = await main(process.argv.slice(2));
