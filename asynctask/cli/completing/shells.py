"""What asynctask and a shell say to each other when the user presses Tab.

The shell runs ``asynctask completion --answer SHELL`` with the words, and reads lines of kind, value and
help, with tabs between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from asynctask.cli.completing.values import Item

__all__ = ("SCRIPTS", "lines", "parse")

# The line up to the cursor comes as it was typed: bash would cut words at = : and @.
_BASH = r"""# Completion of asynctask for bash.
_asynctask_completion() {
    local IFS=$'\n' program=$1 kind value help
    type -P -- "$program" >/dev/null || program=asynctask
    COMPREPLY=()
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
            dir) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
            command) mapfile -t COMPREPLY < <(compgen -c -- "$2") ;;
            open) compopt -o nospace; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <("$program" completion --answer bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
} 2>/dev/null
complete -o nosort -F _asynctask_completion asynctask
"""

_ZSH = r"""#compdef asynctask
# Completion of asynctask for zsh.
_asynctask() {
    local program=${(Q)words[1]} kind value help
    local -a plain open
    (( $+commands[$program] )) || [[ -x $program ]] || program=asynctask
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            file) _files ;;
            dir) _files -/ ;;
            command) _command_names -e ;;
            open) open+=("${value//:/\\:}${help:+:$help}") ;;
            plain) plain+=("${value//:/\\:}${help:+:$help}") ;;
        esac
    done < <("$program" completion --answer zsh "${(Q@)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( $#plain )) && _describe -V -t values value plain
    (( $#open )) && _describe -V -t values value open -S ''
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _asynctask "$@"
else
    compdef _asynctask asynctask
fi
"""

_FISH = r"""# Completion of asynctask for fish.
function __asynctask_completion
    set -l words (commandline -opc)
    set -l current (commandline -ct | string replace -r '^[\'"]' '')
    set -l program $words[1]
    type -q -- "$program"; or set program asynctask
    for line in ($program completion --answer fish $words[2..-1] "$current" 2>/dev/null)
        set -l parts (string split -m 2 \t -- $line)
        switch $parts[1]
            case file
                __fish_complete_path $current
            case dir
                __fish_complete_directories $current
            case command
                complete -C "$current" | string match -v -- '-*'
            case '*'
                test -n "$parts[3]"; and printf '%s\t%s\n' $parts[2] $parts[3]; or echo $parts[2]
        end
    end
end
complete -c asynctask -e
complete -c asynctask -f -a '(__asynctask_completion)'
"""

#: By the name of the shell.
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

_ASSIGNMENT = re.compile(r"\w+\+?=.*", re.DOTALL)


def parse(shell: str, said: Sequence[str]) -> tuple[list[str], str, int]:
    """What a shell said: the complete words, the one at the cursor, and how much of that the shell has.

    The last is how many characters of each answer are to be left out, since the shell puts the rest there.
    """
    if shell != "bash":
        *words, text = said or [""]
        return words, text, 0
    line, breaks = (*said, "", "")[:2]
    words, text, quoted = _split(line)
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words.pop(0)
    return words[1:], text, 0 if quoted else _behind_breaks(text, breaks)


def _split(line: str) -> tuple[list[str], str, bool]:
    """The words of a line, the last one, and whether that is in quotes that are still open."""
    from click.shell_completion import split_arg_string

    words = split_arg_string(line)
    is_open = _is_open(line)
    if not words or (re.search(r"(?<!\\)\s$", line) and not is_open):
        return words, "", False
    return words[:-1], words[-1], is_open


def _is_open(line: str) -> bool:
    bare = re.sub(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"", "", line, flags=re.DOTALL)
    return "'" in bare or '"' in bare


def _behind_breaks(text: str, breaks: str) -> int:
    """Where the part begins that bash completes: behind the last character that ends words for it.

    An ``@`` is such a character, and belongs to what follows.
    """
    place = max((text.rfind(character) + (character != "@") for character in breaks), default=0)
    return max(place, 0)


def lines(items: Iterable[Item], leave_out: int) -> str:
    """The answer."""
    return "".join(f"{item.kind}\t{_clean(item.value[leave_out:])}\t{_clean(item.help)}\n" for item in items)


def _clean(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)
