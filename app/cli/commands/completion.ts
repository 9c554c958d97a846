/** `lapse completion`: a script for a shell, made from the commands themselves. */
import type { Command } from 'commander';
import { userError } from '../../../engine/errors/errors.ts';
import { printLine } from '../command-line.ts';

interface CompletedOption {
  /** Without its dashes. */
  readonly name: string;
  readonly description: string;
  readonly takesValue: boolean;
}

interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
}

const SHELLS = { bash, zsh, fish } as const;

/** @throws LapseError `ERR_USAGE` for another shell */
export function completionCommand(shell: string, lapse: Command, asJson: boolean): void {
  const commands = commandsOf(lapse);
  if (!Object.hasOwn(SHELLS, shell)) {
    const wanted = Object.keys(SHELLS).join(', ');
    throw userError('ERR_USAGE', `SHELL must be one of ${wanted}, got ${JSON.stringify(shell)}`);
  }
  const script = SHELLS[shell as keyof typeof SHELLS](commands);
  printLine(asJson ? JSON.stringify({ shell, script }) : script);
}

/** What help shows: hidden commands are not built yet. */
function commandsOf(lapse: Command): CompletedCommand[] {
  const help = lapse.createHelp();
  const everywhere = help.visibleOptions(lapse).filter(({ long }) => long !== '--version');
  return help.visibleCommands(lapse).map((command) => {
    const own = help.visibleOptions(command).filter(({ long }) => long !== '--help');
    return {
      name: command.name(),
      description: firstClause(command.description()),
      options: [...own, ...everywhere].flatMap(({ long, description, required, optional }) =>
        long == null
          ? []
          : [{ name: long.slice(2), description, takesValue: required || optional }],
      ),
    };
  });
}

function firstClause(text: string): string {
  return text.split(/[.;:]/)[0]!;
}

function bash(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const cases = commands.map(({ name, options }) => {
    const words = options.map((option) => `--${option.name}`).join(' ');
    return `    ${name}) words='${words}' ;;`;
  });
  return `# Completion of lapse for bash: eval "$(lapse completion bash)"
_lapse() {
  local current=\${COMP_WORDS[COMP_CWORD]} words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${names}' -- "$current"))
    return
  fi
  case "$current" in -*) ;; *) return ;; esac
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _lapse lapse`;
}

function zsh(commands: readonly CompletedCommand[]): string {
  const described = (name: string, text: string) =>
    quoted(`${name}:${text.replaceAll(':', '\\:')}`);
  const names = commands.map(({ name, description }) => `    ${described(name, description)}`);
  const cases = commands.map(({ name, options }) => {
    const words = options.map((option) => described(`--${option.name}`, option.description));
    return `    ${name}) options=(${words.join(' ')}) ;;`;
  });
  return `#compdef lapse
# Completion of lapse for zsh: eval "$(lapse completion zsh)" after compinit
_lapse() {
  local -a commands options
  commands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
  if [[ $words[CURRENT] == -* ]]; then _describe option options; else _files; fi
}
compdef _lapse lapse`;
}

function fish(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, description, options }) => [
    `complete -c lapse -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
    ...options.map((option) => {
      const value = option.takesValue ? ' -r' : '';
      const seen = quoted(`__fish_seen_subcommand_from ${name}`);
      return `complete -c lapse -n ${seen} -l ${option.name}${value} -d ${quoted(option.description)}`;
    }),
  ]);
  return ['# Completion of lapse for fish: lapse completion fish | source', ...lines].join('\n');
}

/** One word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
