"""The service's secret is made once, is kept to itself, and opens nothing that another one sealed."""

import asyncio
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bot import settings
from bot.vault import SecretFault, Vault, found, opened

VAULT = Vault("a secret of at least thirty-two characters")
OTHER = Vault("another secret, of as many characters and more")


@given(purpose=some.text(max_size=20), content=some.binary(max_size=200))
def test_what_is_sealed_is_opened_by_the_same_secret(purpose: str, content: bytes) -> None:
    assert VAULT.open(purpose, VAULT.seal(purpose, content)) == content


def test_nothing_else_opens_it() -> None:
    sealed = VAULT.seal("tokens", b"xoxb-1")
    assert "xoxb" not in sealed
    for vault, purpose in ((OTHER, "tokens"), (VAULT, "signing")):
        with pytest.raises(SecretFault, match="can't be opened"):
            vault.open(purpose, sealed)


@given(place=some.integers(min_value=0, max_value=45), other=some.sampled_from("AQgw_-=!"))
def test_what_was_changed_is_not_opened(place: int, other: str) -> None:
    sealed = VAULT.seal("tokens", b"xoxb-1")
    changed = sealed[:place] + other + sealed[place + 1 :]
    if changed != sealed:
        with pytest.raises(SecretFault):
            VAULT.open("tokens", changed)


def test_a_name_is_the_same_for_the_same_text_purpose_and_secret_alone() -> None:
    names = {
        VAULT.mac("masks", "a"),
        VAULT.mac("masks", "b"),
        VAULT.mac("links", "a"),
        OTHER.mac("masks", "a"),
    }
    assert len(names) == 4
    assert VAULT.mac("masks", "a") == Vault("a secret of at least thirty-two characters").mac("masks", "a")


def test_a_short_secret_is_none(tmp_path: Path) -> None:
    with pytest.raises(SecretFault, match="it takes 32"):
        opened("hunter2", None, tmp_path)


def test_without_one_it_is_made_on_the_first_start_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "state" / "countersign"
    sealed = opened(None, None, state).seal("tokens", b"xoxb-1")
    assert stat.S_IMODE((state / "secret").stat().st_mode) == 0o600
    assert opened(None, None, state).open("tokens", sealed) == b"xoxb-1"
    assert [file.name for file in state.iterdir()] == ["secret"]


async def test_of_many_that_start_at_once_all_have_the_same(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.to_thread(opened, None, None, tmp_path)) for _ in range(12)]
    assert len({task.result().mac("any", "text") for task in tasks}) == 1


def test_to_look_for_one_makes_none(tmp_path: Path) -> None:
    assert found(None, None, tmp_path) is None and not (tmp_path / "secret").exists()
    sealed = opened(None, None, tmp_path).seal("tokens", b"xoxb-1")
    vault = found(None, None, tmp_path)
    assert vault is not None and vault.open("tokens", sealed) == b"xoxb-1"


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    opened(None, None, tmp_path)
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(SecretFault, match="chmod 600"):
        opened(None, None, tmp_path)


def test_a_file_that_is_named_and_missing_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(SecretFault, match="APPROVALS_SECRET_FILE"):
        opened(None, tmp_path / "mounted", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_kept_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SecretFault, match="set APPROVALS_SECRET"):
        opened(None, None, tmp_path / "file" / "state")


@pytest.mark.attack("H104")
def test_the_environment_says_which_and_never_shows_it() -> None:
    env = {"REDIS_URL": "redis://localhost", "XDG_STATE_HOME": "/state"}
    assert settings.read(env, needs="redis").state == Path("/state/countersign")
    told = settings.read(env | {"APPROVALS_SECRET": "s3cret" * 8}, needs="redis")
    assert told.secret == "s3cret" * 8
    assert "s3cret" not in repr(told)
    with pytest.raises(settings.SettingsFault, match="at least 32"):
        settings.read(env | {"APPROVALS_SECRET": "s3cret"}, needs="redis")
    with pytest.raises(settings.SettingsFault, match="which is it"):
        settings.read(
            env | {"APPROVALS_SECRET": "s3cret" * 8, "APPROVALS_SECRET_FILE": "/run/s"}, needs="redis"
        )
