"""Help on the command line: examples for `--help`, `help` as a command, and the setting that an invented option means.

Imports no library: `--help` must respond immediately.
"""

from collections.abc import Iterable

# "" is the command without a subcommand.
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("reconcile --dry-run", "what a pass would do"),
        ("reconcile --max-delete 40", "one pass that may delete up to 40 records"),
        ("reconcile --prune-foreign", "one pass that deletes what Home Assistant does not have"),
    ),
    "serve": (("reconcile serve --observe", "follow Home Assistant and write nothing"),),
    "drift": (
        ("reconcile drift", "all that differs, and why"),
        ("reconcile drift --only device --json", "the devices that differ, for a program"),
    ),
    "show": (
        ("reconcile show light.kitchen", "is this entity real, since when, and what to do"),
        ("reconcile show Sun", "by its name, in any case"),
        ("reconcile show device/5f1c --json", "by its registry id, for a program"),
    ),
    "history": (("reconcile history light.kitchen", "what it was and became, the newest first"),),
    "config": (("reconcile config show", "every setting and where it comes from"),),
    "doctor": (("reconcile doctor", "what is wrong now, and what to change"),),
    "store": (("reconcile store snapshot backup.db", "a consistent copy, while the service runs"),),
    "site": (
        ("reconcile site add mill-4 --source ws://10.8.0.4:8123", "one more home"),
        ("reconcile site check", "ask each Home Assistant once"),
    ),
    "fleet": (
        ("reconcile fleet status", "which process keeps which homes"),
        ("reconcile fleet view", "a view of all homes, at http.host and http.port"),
        ("reconcile fleet drain", "before this machine is worked on; `fleet resume` undoes it"),
        ("reconcile fleet topics create", "before the first process starts, if it may not create topics"),
    ),
    "healthcheck": (("reconcile healthcheck --url http://127.0.0.1:8099", "as a container's health check"),),
    "docs": (("reconcile docs", "all pages and terms"),),
    "completion": (
        ("reconcile completion bash > ~/.local/share/bash-completion/completions/reconcile", ""),
        ("reconcile completion fish > ~/.config/fish/completions/reconcile.fish", ""),
    ),
    "version": (("reconcile version --json", "the versions in use, for a program"),),
}


def epilog(command: str) -> str:
    """The examples at the end of a command's `--help`."""
    examples = EXAMPLES.get(command, ())
    width = max((len(line) for line, _ in examples), default=0)
    parts = [f"  {line:<{width}}  {text}".rstrip() for line, text in examples]
    return "\n".join(["examples:", *parts]) if parts else ""


def without_help(argv: list[str]) -> list[str]:
    """The arguments with `help` and `help COMMAND` replaced by --help."""
    if argv[:1] != ["help"]:
        return argv
    return [*argv[1:2], "--help"]


def setting_hint(option: str) -> str | None:
    """How to set the setting that an option such as --http-port means; None if there is no such setting."""
    # Imported only after a typo, because it loads a library.
    from engine.settings.sections import documented_settings

    wanted = option.removeprefix("--").replace("-", "_")
    for setting in documented_settings():
        section, _, name = setting.name.partition(".")
        if wanted in (f"{section}_{name}", setting.name):
            variable = f"RECONCILE_{section}__{name}".upper()
            return f"It is a setting: {setting.name} in the [{section}] section of reconcile.toml, or {variable}."
    return None


def suggestion(word: str, known: frozenset[str] | dict[str, str]) -> str:
    """The word that was probably meant, or a pointer to the help."""
    close = closest(word, known)
    return f"Did you mean {close}?" if close else "See `reconcile --help`."


def closest(word: str, known: Iterable[str]) -> str | None:
    """The most similar known word; None if none is similar."""
    import difflib

    return next(iter(difflib.get_close_matches(word, sorted(known), n=1)), None)
