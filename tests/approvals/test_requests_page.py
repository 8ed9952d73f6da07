"""`docs/requests.md` shows the machine as it is."""

from tests.approvals.lifecycle import PAGE, written


def test_the_diagram_and_the_table_are_current() -> None:
    assert PAGE.read_text() == written(), "run python -m tests.approvals.lifecycle"
