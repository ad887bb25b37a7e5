"""`vram-tui completion SHELL`: a completion script, written from the same tables as the commands."""

from vram_tui.cli import COMMANDS
from vram_tui.commands.common import Parser
from vram_tui.commands.options import OPTIONS

SHELLS = ("bash", "zsh", "fish")


def run(name: str, argv: list[str]) -> int:
    parser = Parser(
        prog=f"vram-tui {name}", description="Print a completion script: source it, or put it where your shell looks."
    )
    parser.add_argument("shell", choices=SHELLS)
    print({"bash": bash, "zsh": zsh, "fish": fish}[parser.parse_args(argv).shell](), end="")
    return 0


def _options() -> list[str]:
    plain = [
        "--help",
        "--json",
        "--units",
        "--catalog",
        "--batch",
        "--markdown",
        "--csv",
        "--sort",
        "--kind",
        "--vendor",
        "--limit",
        "--on",
    ]
    return (
        plain
        + [f"--{option.name}" for option in OPTIONS]
        + [f"--no-{option.name}" for option in OPTIONS if option.flag]
    )


def bash() -> str:
    choices = "\n".join(
        f'        --{option.name}) COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$word")); return;;'
        for option in OPTIONS
        if option.choices
    )
    return f"""# vram-tui completion for bash
_vram_tui() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    case "$before" in
{choices}
    esac
    if [[ "$word" == -* ]]; then
        COMPREPLY=($(compgen -W "{" ".join(_options())}" -- "$word"))
    elif [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "{" ".join(COMMANDS)}" -- "$word"))
    elif [[ ${{#word}} -ge 2 ]]; then
        local models="$(vram-tui models "$word" --limit 40 --csv 2>/dev/null | tail -n +2 | cut -d, -f1)"
        COMPREPLY=($(compgen -W "$models" -- "$word") $(compgen -f -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}}
complete -F _vram_tui vram-tui
"""


def zsh() -> str:
    commands = "\n".join(f"    {_zsh_quoted(f'{name}:{text}')}" for name, (_, text) in COMMANDS.items())
    options = "\n".join(
        f"    {_zsh_quoted(f'--{option.name}[{option.help}]' + _zsh_value(option.choices, option.flag))}"
        for option in OPTIONS
    )
    return f"""#compdef vram-tui
# vram-tui completion for zsh
local -a commands options
commands=(
{commands}
)
options=(
{options}
)
if (( CURRENT == 2 )); then
    _describe command commands
    _files
else
    _arguments -s $options '*:model or file:_files'
fi
"""


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_value(choices: tuple[str, ...], flag: bool) -> str:
    if flag:
        return ""
    return f":value:({' '.join(choices)})" if choices else ":value:"


def fish() -> str:
    lines = ["# vram-tui completion for fish"]
    for name, (_, text) in COMMANDS.items():
        lines.append(f"complete -c vram-tui -n __fish_use_subcommand -a {name} -d {_zsh_quoted(text)}")
    for option in OPTIONS:
        value = "" if option.flag else f" -x -a {_zsh_quoted(' '.join(option.choices))}" if option.choices else " -r"
        lines.append(f"complete -c vram-tui -l {option.name}{value} -d {_zsh_quoted(option.help)}")
    return "\n".join(lines) + "\n"
