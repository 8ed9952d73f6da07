"""What two readers could read differently has one reading, or none."""

import json
import logging
from typing import Any

import pytest

from approvals import Approvals, InvalidCall
from approvals.canonical import fingerprint
from approvals.keys import key
from approvals.policy import PolicyFaults, parse
from blocks.request import card
from bot import settings
from bot.logs import JsonLines
from tests.builders import T0, a_request

ONE = ("1", "1.0", "1e0", "10e-1", "0.1E1")
ZERO = ("0", "-0", "0.0", "-0.0", "0e5")


@pytest.mark.attack("J5")
@pytest.mark.parametrize("spellings", [ONE, ZERO], ids=["one", "zero"])
def test_a_number_has_one_fingerprint_however_it_is_spelled(spellings: tuple[str, ...]) -> None:
    assert len({fingerprint("pay", {"amount": json.loads(each)}) for each in spellings}) == 1


@pytest.mark.attack("J5")
@pytest.mark.parametrize("other", ["true", '"1"', "[1]", "1.0000000000000002", "2"])
def test_what_is_not_that_number_has_another(other: str) -> None:
    assert fingerprint("pay", {"amount": json.loads(other)}) != fingerprint("pay", {"amount": 1})


@pytest.mark.attack("J5")
@pytest.mark.parametrize("number", ["9007199254740993", "-9007199254740993", "1" + "0" * 400])
def test_a_whole_number_that_would_be_rounded_is_refused(number: str) -> None:
    with pytest.raises(InvalidCall, match=r"beyond ±2\^53"):
        fingerprint("pay", {"amount": json.loads(number)})


@pytest.mark.attack("J4")
def test_two_spellings_of_one_letter_are_two_arguments_and_both_are_shown() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    args: dict[str, Any] = {composed: "one account", decomposed: "another account"}
    assert fingerprint("pay", {composed: 1}) != fingerprint("pay", {decomposed: 1})
    shown = json.dumps(card(a_request(tool="pay", args=args, created_at=T0), T0).blocks)
    assert "one account" in shown
    assert "another account" in shown


# Cyrillic, Greek and full-width letters; a zero width space; an accent; capitals that look like another's.
ALIKE = [
    "billіng",
    "βilling",
    "ｂilling",
    "billing\u200b",
    "billi\u0301ng",
    "Billing",
    "billing\n",
    "billing ",
]


@pytest.mark.attack("J3")
@pytest.mark.parametrize("name", ALIKE)
def test_no_agent_has_a_name_that_looks_like_anothers(name: str) -> None:
    with pytest.raises(InvalidCall):
        key("acme", "inbox", name)
    with pytest.raises(InvalidCall):
        Approvals.connect("redis://localhost:1/0", agent=name)


@pytest.mark.attack("E72")
@pytest.mark.parametrize(
    "text",
    [
        "version = 1\nversion = 1\n",
        "version = 1\n[defaults]\nquorum = 1\nquorum = 2\n",
        "version = 1\n[defaults]\nquorum = 1\n[defaults]\nquorum = 2\n",
        "version: 1\ndefaults: {action: allow}\n",
        "version = 1\n[defaults]\nself_approval = no\n",
        'version = 1\n[defaults]\nself_approval = "false"\n',
        "version = 1\n[defaults]\nquorum = true\n",
        'version = 1\n[defaults]\nquorum = "2"\n',
        "version = 1\n[defaults]\nquorum = 2.0\n",
        "version = 1\n[defaults]\nquorum = 99999999999999999999999\n",
        "version = 1\n[defaults]\nquorum = nan\n",
        "version = 1\n[defaults]\ndeadline = 010\n",
        "version = 1\n[defaults]\ndeadline = 600\n",
        "version = 1\n[defaults]\ndeadline = 1979-05-27T07:32:00Z\n",
        "version = 1\n[defaults]\naprovers = ['U0ANA']\n",
        "version = 2\n",
        "version = 1\n[defaults]\nchannel = '!!python/object/apply:os.system [id]'\n",
        "",
    ],
)
def test_a_policy_says_each_thing_once_and_in_its_own_type(text: str) -> None:
    with pytest.raises(PolicyFaults):
        parse(text)


TOKENS = {
    "REDIS_URL": "redis://service:hunter2-redis@localhost:6379/0",
    "SLACK_BOT_TOKEN": "xoxb-hunter2-bot",
    "SLACK_APP_TOKEN": "xapp-hunter2-app",
    "SLACK_SIGNING_SECRET": "hunter2-signing",
    "APPROVALS_SECRET": "hunter2-secret-of-more-than-32-characters",
}


@pytest.mark.attack("H104")
def test_settings_that_are_printed_show_no_secret() -> None:
    read = settings.read(TOKENS, needs="workspace")
    assert read.bot_token == "xoxb-hunter2-bot"
    assert "hunter2" not in repr(read)


@pytest.mark.attack("H104")
def test_a_wrong_setting_is_told_without_what_it_holds() -> None:
    swapped = TOKENS | {
        "SLACK_BOT_TOKEN": "xapp-hunter2",
        "SLACK_APP_TOKEN": "hunter2",
        "REDIS_URL": "hunter2",
    }
    with pytest.raises(settings.SettingsFault) as fault:
        settings.read(swapped, needs="workspace")
    assert len(fault.value.problems) >= 3
    assert "hunter2" not in str(fault.value)


@pytest.mark.attack("J12")
def test_a_log_record_is_one_line_without_control_characters() -> None:
    evil = 'fine\n{"level":"info","message":"approved by Kim"}\r\x1b[2J\x9b2J\x85\u2028\u202e\x00'
    record = logging.LogRecord("bot", logging.WARNING, "x.py", 1, "Slack says %s", (evil,), None)
    record.error = evil
    line = JsonLines().format(record)
    assert line.isprintable(), line
    assert json.loads(line)["message"] == f"Slack says {evil}"
