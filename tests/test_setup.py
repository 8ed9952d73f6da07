"""What a fresh machine and a fresh workspace are given: pins, wheel, manifest, Procfile, .env.example."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PINNED = sorted((ROOT / "requirements").glob("*.txt"))

# Slack's limits on a manifest, from its published schema (manifest version 2).
APP_NAME_CHARS = 35
APP_DESCRIPTION_CHARS = 140
SHORTCUT_NAME_CHARS = 24
SHORTCUT_DESCRIPTION_CHARS = 150
COMMAND_CHARS = 32
USAGE_HINT_CHARS = 1000

# What Slack wants before it delivers an event: https://docs.slack.dev/reference/events
SCOPES_OF_EVENT: dict[str, set[str]] = {
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set(),
    "channel_archive": {"channels:read"},
    "channel_left": {"channels:read"},
    "group_archive": {"groups:read"},
    "group_left": {"groups:read"},
    "channel_id_changed": {"channels:read", "groups:read"},
    "channel_shared": {"channels:read", "groups:read"},
    "member_joined_channel": {"channels:read", "groups:read"},
    "member_left_channel": {"channels:read", "groups:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "message_metadata_posted": {"metadata.message:read"},
    "subteam_members_changed": {"usergroups:read"},
    "tokens_revoked": set(),
    "user_change": {"users:read"},
}


def _pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", PINNED, ids=lambda path: path.stem)
def test_every_requirement_is_pinned_and_hashed_and_names_no_index(path: Path) -> None:
    text = path.read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+ .*\\\n +--hash=sha256:[0-9a-f]{64}", entry), entry
    assert not re.search(r"://|^--", text, re.MULTILINE)


def test_one_version_of_each_package_is_pinned_everywhere() -> None:
    service, build, dev = (
        _pins(ROOT / "requirements" / f"{name}.txt") for name in ("service", "build", "dev")
    )
    assert {**dev, **service} == {**service, **dev}
    assert {**dev, **build} == {**build, **dev}


def test_the_pins_are_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = _pins(ROOT / "requirements" / "service.txt")
    for line in [*project["dependencies"], *project["optional-dependencies"]["service"]]:
        wanted = Requirement(line)
        assert wanted.specifier.contains(pins[wanted.name]), line


def test_the_wheel_ships_approvals_alone_with_types_and_scripts(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = (path for path in (ROOT / "approvals").rglob("*") if path.suffix in {".py", ".lua", ".typed"})
    assert shipped >= {str(path.relative_to(ROOT)) for path in ours}
    assert {name.partition("/")[0] for name in shipped} == {"approvals"}


def test_make_without_a_target_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=10).stdout
    for target in ("setup", "demo", "test", "check", "format", "bench", "proof", "pins", "clean"):
        assert re.search(rf"^make {target} +\S", listed, re.MULTILINE), target


def test_the_two_processes_are_in_the_procfile() -> None:
    assert (ROOT / "Procfile").read_text() == "web: python -m bot web\nworker: python -m bot worker\n"


def test_every_variable_that_the_code_reads_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    told = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))
    sources = [path.read_text() for top in ("approvals", "bot") for path in (ROOT / top).rglob("*.py")]
    read = {
        name
        for source in sources
        for name in re.findall(r"\"((?:SLACK|APPROVALS)_[A-Z_]+|REDIS_URL|PORT)\"", source)
    }
    assert read <= told


@pytest.fixture(params=["socket mode", "http"])
def manifest(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The manifest as it stands, and as its own first lines say to change it for HTTP."""
    text = (ROOT / "manifest.yml").read_text()
    if request.param == "http":
        text = text.replace("true  # HTTP: false", "false").replace("# HTTP: ", "")
    parsed: dict[str, Any] = yaml.safe_load(text)
    return parsed


def test_the_manifest_keeps_within_slacks_limits(manifest: dict[str, Any]) -> None:
    display, features = manifest["display_information"], manifest["features"]
    assert len(display["name"]) <= APP_NAME_CHARS
    assert len(display["description"]) <= APP_DESCRIPTION_CHARS
    assert re.fullmatch(r"[a-z0-9._-]{1,80}", features["bot_user"]["display_name"])
    for shortcut in features["shortcuts"]:
        assert len(shortcut["name"]) <= SHORTCUT_NAME_CHARS
        assert len(shortcut["description"]) <= SHORTCUT_DESCRIPTION_CHARS
    for command in features["slash_commands"]:
        assert len(command["command"]) <= COMMAND_CHARS
        assert len(command["usage_hint"]) <= USAGE_HINT_CHARS
        assert command["should_escape"], "without it a mention is a name, and a name is nobody"


def test_the_manifest_asks_for_the_scope_of_each_event(manifest: dict[str, Any]) -> None:
    events = manifest["settings"]["event_subscriptions"]["bot_events"]
    needed = set[str]().union(*(SCOPES_OF_EVENT[event] for event in events))
    assert needed <= set(manifest["oauth_config"]["scopes"]["bot"])


def test_the_manifest_has_an_address_wherever_http_needs_one(manifest: dict[str, Any]) -> None:
    settings = manifest["settings"]
    places = [
        *(command.get("url") for command in manifest["features"]["slash_commands"]),
        settings["interactivity"].get("request_url"),
        settings["event_subscriptions"].get("request_url"),
    ]
    assert settings["socket_mode_enabled"] == (places == [None] * 5)
    assert settings["socket_mode_enabled"] or len(set(places)) == 1
