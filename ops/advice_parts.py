"""What `docs/reference/what-to-do.md` says of every verdict and guard, from the program's own words."""

from engine.core.state.advice import GUARDS, KINDS

_INTRODUCTION = """The verdict on a record (`sync.state` in the API, the badge on the page, the first word of
`reconcile show`), and each guard. The page has the same at `/help`."""


def advice_parts() -> list[str]:
    """The parts of the page below its title."""
    parts = [_INTRODUCTION]
    for title, prefix, subjects in (("## Of a record", "", KINDS), ("## Of a guard", "guard ", GUARDS)):
        parts.append(title)
        for name, advice in subjects.items():
            parts += [f"### `{prefix}{name}`", f"{advice.title}. {advice.meaning} {advice.action}"]
            parts += [f"```sh\n{advice.command}\n```"] if advice.command else []
    return parts
