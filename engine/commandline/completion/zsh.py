"""The completion script of zsh: one function for each place, each made of `_arguments`."""

from engine.commandline.completion.places import Option, Place, Value

_HEAD = """\
#compdef reconcile
# zsh completion for reconcile, printed by `reconcile completion zsh`.
"""
_TAIL = """\
# As a file _reconcile in $fpath this runs when reconcile is first completed; otherwise it is sourced.
if [[ ${funcstack[1]} == _reconcile ]]; then
    _reconcile "$@"
else
    compdef _reconcile reconcile
fi
"""
_WITH_COMMANDS = """\
{function}() {{
    local context state state_descr line
    typeset -A opt_args
    _arguments -C -S -s \\
        {specs} \\
        '1:command:->command' \\
        '*::argument:->argument'
    case $state in
        command)
            local -a commands=(
                {described}
            )
            _describe -t commands command commands
            ;;
        argument)
            case $line[1] in
                {branches}
            esac
            ;;
    esac
}}
"""
_PLAIN = """\
{function}() {{
    _arguments -S -s \\
        {specs}
}}
"""


def zsh_script(places: tuple[Place, ...]) -> str:
    """The script."""
    return _HEAD + "\n".join(_function(place) for place in places) + "\n" + _TAIL


def _function(place: Place) -> str:
    specs = [_option(option) for option in place.options]
    if place.argument is not None:
        specs.append(_quoted(f"1:{_value(place.argument)}"))
    template = _WITH_COMMANDS if place.commands else _PLAIN
    return template.format(
        function=_name(place.path),
        specs=" \\\n        ".join(specs),
        described="\n                ".join(
            _quoted(f"{name}:{_escaped(text)}") for name, text in place.commands
        ),
        branches="\n                ".join(
            f"{name}) {_name((*place.path, name))} ;;" for name, _ in place.commands
        ),
    )


def _name(path: tuple[str, ...]) -> str:
    return "_".join(("_reconcile", *path))


def _option(option: Option) -> str:
    value = f":{_value(option.value)}" if option.value else ""
    text = f"[{_escaped(option.text)}]{value}"
    if len(option.names) == 1:
        (name,) = option.names
        return _quoted(f"{name}{'=' if value else ''}{text}")
    assert not value, "a short option with a value would need another form"
    return f"{_quoted('(' + ' '.join(option.names) + ')')}{{{','.join(option.names)}}}{_quoted(text)}"


def _value(value: Value) -> str:
    name = _escaped(value.name)
    if value.is_file:
        return f"{name}:_files"
    if value.is_list:
        return f"{name}:_sequence compadd - {' '.join(value.words)}"
    return f"{name}:({' '.join(value.words)})" if value.words else f"{name}: "


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "[]:\\" else c for c in text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
