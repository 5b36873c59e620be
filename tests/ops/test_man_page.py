"""The manual page is what the parser says, and roff that groff has nothing to say about."""

import re
import shutil
import subprocess

import pytest

from engine.commandline.arguments.arguments import COMMANDS
from engine.commandline.arguments.parser import build_grammar
from engine.commandline.exit_codes import TABLE
from ops.documentation import MAN_PAGE
from ops.man_page import man_page
from tests.availability import skip_or_fail


def test_it_is_what_the_code_says() -> None:
    assert MAN_PAGE.read_text(encoding="utf-8") == man_page(), "it is stale: run `sh ops/docs`"


@pytest.mark.process
def test_it_reads_as_a_page_with_every_command_option_and_exit_code() -> None:
    groff = shutil.which("groff") or skip_or_fail("no groff: install groff-base")
    asked = [groff, "-man", "-ww", "-Tascii", "-P-cbou", str(MAN_PAGE)]
    read = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert read.stderr == ""
    headings = re.findall(r"(?m)^([A-Z ]+)$", read.stdout)
    assert headings[:5] == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS"]
    assert re.findall(r"(?m)^   reconcile (\w+)$", read.stdout) == list(COMMANDS)
    words = set(re.findall(r"[\w$./-]+", read.stdout))
    assert build_grammar().options - {"-h", "--help"} <= words
    assert set(re.findall(r"(?m)^  (\d+)", TABLE)) <= words
    assert "\\" not in read.stdout
