"""The completion script of bash (4 or newer).

bash splits words at `=`, so `--format=json` arrives as three; a file's name is left to readline, which quotes.
"""

from engine.commandline.completion.places import Place, Value, valued_options

_SCRIPT = """\
# bash completion for reconcile, printed by `reconcile completion bash`.
_reconcile() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} place='' option='' word i
    local options='' words='' files='' list=''
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        if [[ $word == '=' ]]; then
            continue
        elif [[ -n $option ]]; then
            option=''
        elif [[ $word == -* ]]; then
            case $word in
                {valued}) option=$word ;;
            esac
        else
            case "$place $word" in
                {commands}) place+=" $word" ;;
            esac
        fi
    done
    [[ $current == '=' ]] && current=''
    case $option in
        '')
            case $place in
                {places}
            esac
            [[ $current == -* ]] && words=$options files=''
            ;;
        {values}
    esac
    if [[ -n $files ]]; then
        compopt -o default
    elif [[ -n $list ]]; then
        [[ $current == *,* ]] && list="${{current%,*}}," || list=''
        COMPREPLY=($(compgen -P "$list" -W "$words" -- "${{current##*,}}"))
        compopt -o nospace
    else
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
}}
complete -F _reconcile reconcile
"""


def bash_script(places: tuple[Place, ...]) -> str:
    """The script."""
    values = valued_options(places)
    return _SCRIPT.format(
        valued=" | ".join(values),
        commands=" | ".join(f"'{_typed(place.path)}'" for place in places if place.path),
        places="\n                ".join(_place(place) for place in places),
        values="\n        ".join(f"{name}) {_offer(value)} ;;" for name, value in values.items()),
    )


def _typed(path: tuple[str, ...]) -> str:
    return "".join(f" {word}" for word in path)


def _place(place: Place) -> str:
    options = " ".join(name for option in place.options for name in option.names)
    commands = " ".join(name for name, _ in place.commands)
    offered = _offer(place.argument) if place.argument else f"words='{commands}'"
    return f"'{_typed(place.path)}') {offered} options='{options}' ;;"


def _offer(value: Value) -> str:
    if value.is_file:
        return "files=1"
    return f"words='{' '.join(value.words)}'{' list=1' if value.is_list else ''}"
