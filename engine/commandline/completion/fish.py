"""The completion script of fish: one `complete` for each option and command, and where it applies."""

from collections.abc import Iterator

from engine.commandline.completion.places import Option, Place, Value, valued_options

_HEAD = """\
# fish completion for reconcile, printed by `reconcile completion fish`.

# True when the command typed so far is $argv; an option's value is no command.
function __reconcile_at
    set -l place
    set -l is_value 0
    for word in (commandline -opc)[2..]
        if test $is_value = 1
            set is_value 0
        else if contains -- $word {valued}
            set is_value 1
        else if contains -- (string join ' ' $place $word) {commands}
            set -a place $word
        end
    end
    test "$place" = "$argv"
end

complete -c reconcile -f
"""


def fish_script(places: tuple[Place, ...]) -> str:
    """The script."""
    commands = [_quoted(" ".join(place.path)) for place in places if place.path]
    head = _HEAD.format(valued=" ".join(valued_options(places)), commands=" ".join(commands))
    return head + "".join(f"{line}\n" for place in places for line in _lines(place))


def _lines(place: Place) -> Iterator[str]:
    condition = _quoted(" ".join(("__reconcile_at", *place.path)))
    begin = f"complete -c reconcile -n {condition}"
    for name, text in place.commands:
        yield f"{begin} -a {name} -d {_quoted(text)}"
    for option in place.options:
        yield f"{begin} {_option(option)}"
    if place.argument is not None and (offered := _value(place.argument)):
        yield f"{begin} {offered}"


def _option(option: Option) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    # -r: it takes a value; -x: which is no file.
    value = (" -r " if option.value.is_file else " -x ") + _value(option.value) if option.value else ""
    return f"{names}{value.rstrip()} -d {_quoted(option.text)}"


def _value(value: Value) -> str:
    if value.is_file:
        return "-F"
    if value.is_list:
        return f"-a '(__fish_append , {' '.join(value.words)})'"
    return f"-a '{' '.join(value.words)}'" if value.words else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
