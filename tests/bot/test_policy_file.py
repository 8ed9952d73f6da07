"""The policy file as it changes: what is taken, what is refused, and who is told."""

from pathlib import Path

import pytest

from approvals.policy import DEFAULT, PolicyFaults
from bot.policy_file import CannotRead, PolicyFile

GOOD = 'version = 1\n[[rule]]\nname = "r"\ntools = ["a"]\n'


def write(path: Path, text: str) -> None:
    path.write_text(text)


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    write(path, GOOD)
    return path


async def test_a_change_is_taken_and_told(path: Path) -> None:
    file = PolicyFile(path)
    before = file.current.version
    assert await file.refresh() is None
    write(path, GOOD + 'action = "deny"\n')
    told = await file.refresh()
    assert told is not None
    assert f"before {before}" in told
    assert file.current.version in told
    assert await file.refresh() is None


@pytest.mark.attack("E73")
async def test_a_faulty_change_changes_nothing_and_is_told_once_with_every_fault(path: Path) -> None:
    file = PolicyFile(path)
    before = file.current
    write(path, GOOD + 'quorum = 0\nwhen = "tols"\n')
    told = await file.refresh()
    assert told is not None
    assert f"version {before.version} stays in force" in told
    assert "• line 5, rule “r”: `quorum` is 0" in told
    assert "• line 6, rule “r”: `when` speaks of 'tols'" in told
    assert file.current is before
    assert await file.refresh() is None


async def test_a_file_that_is_gone_changes_nothing(path: Path) -> None:
    file = PolicyFile(path)
    remove(path)
    told = await file.refresh()
    assert told is not None
    assert "can't be read" in told
    assert await file.refresh() is None
    write(path, GOOD + "# back")
    assert await file.refresh() is not None


@pytest.mark.attack("E73")
async def test_a_service_does_not_begin_with_a_faulty_file(path: Path, tmp_path: Path) -> None:
    write(path, "version = 2")
    with pytest.raises(PolicyFaults):
        PolicyFile(path)
    with pytest.raises(CannotRead, match="nothing"):
        PolicyFile(tmp_path / "nothing.toml")


async def test_without_a_file_the_built_in_policy_is_in_force() -> None:
    file = PolicyFile(None)
    assert file.current is DEFAULT
    assert await file.refresh() is None
