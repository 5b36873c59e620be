"""`reconcile completion SHELL`: a script that completes what is typed, made from the parser itself.

The script is static: completing starts no process.
"""

from engine.commandline.completion.bash import bash_script
from engine.commandline.completion.fish import fish_script
from engine.commandline.completion.places import all_places
from engine.commandline.completion.zsh import zsh_script
from engine.commandline.exit_codes import OK
from engine.commandline.output import emit_text
from engine.commandline.parser import Arguments, build_grammar

_SCRIPTS = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


def run_completion(arguments: Arguments) -> int:
    """Print the script."""
    emit_text(_SCRIPTS[arguments.shell](tuple(all_places(build_grammar().parser))))
    return OK
