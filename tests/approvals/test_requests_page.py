"""`docs/requests.md` shows the machine as it is."""

from typing import get_args

from approvals.commands import Command
from tests.approvals.lifecycle import COMMANDS, PAGE, written


def test_what_is_generated_is_current() -> None:
    assert PAGE.read_text() == written(), "run python -m tests.approvals.lifecycle"


def test_every_command_is_on_the_page() -> None:
    assert {type(command) for command in COMMANDS.values()} == set(get_args(Command))
