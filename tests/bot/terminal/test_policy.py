"""`countersign policy`: what it prints, and with which exit code."""

import json
from pathlib import Path

import pytest

from approvals.cli import main

SOUND = """
version = 1
[calendars.office]
tz = "Europe/Berlin"
hours = "09:00-18:00"
[[rule]]
name = "reading"
tools = ["read_*"]
action = "allow"
[[rule]]
name = "small"
tools = ["refund"]
agents = ["billing"]
when = "args.amount <= 50 && office"
action = "allow"
budget = { count = 20, sum = "args.amount", limit = 500, per = "1d", by = "agent" }
[[rule]]
name = "large"
tools = ["refund"]
when = "args.amount > 5000 || 'sensitive' in tags"
quorum = 2
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(SOUND)
    monkeypatch.setenv("APPROVALS_POLICY", str(path))
    monkeypatch.delenv("REDIS_URL", raising=False)
    return path


def printed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["policy", *words]) == code
    out, err = capsys.readouterr()
    return out or err


@pytest.mark.usefixtures("path")
class TestExplain:
    AT = ("--at", "2026-03-02T12:00:00+01:00")

    def test_the_walk_is_told_with_reasons_and_values(self, capsys: pytest.CaptureFixture[str]) -> None:
        told = printed(capsys, "explain", "refund", '{"amount": 900}', "--agent", "billing", *self.AT)
        assert "–  reading  is for other tools: read_*" in told
        assert (
            "its condition does not hold: args.amount <= 50 && office (args.amount = 900, office = true)"
            in told
        )
        assert "→ ask: no rule speaks of this call" in told

    def test_a_budget_is_told_and_what_comes_past_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        told = printed(capsys, "explain", "refund", '{"amount": 9}', "--agent", "billing", *self.AT)
        assert "✓  small" in told
        assert "its budget lasts (20 times and args.amount up to 500 in 1 day for each agent)" in told
        assert "→ allow: rule “small” allows it without asking" in told
        assert "→ when that budget is used up, ask: " in told

    def test_what_can_not_be_evaluated_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        told = printed(capsys, "explain", "refund", "--agent", "support", *self.AT)
        assert "–  small    is for other agents: billing" in told
        assert "?  large    its condition can't be evaluated, as the call has no “amount”" in told
        assert "(args.amount = missing, tags = [])" in told

    def test_everything_that_conditions_see_can_be_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = ("--tags", "x, sensitive", "--risk", "high", "--confidence", "0.5", "--json", *self.AT)
        told = json.loads(printed(capsys, "explain", "refund", '{"amount": 60}', *said))
        assert (told["action"], told["rule"], told["spends"]) == ("ask", "large", False)
        assert [rule["verdict"] for rule in told["rules"]] == ["other_tool", "other_agent", "fits"]

    @pytest.mark.parametrize(
        ("words", "fault"),
        [
            (["{"], "the arguments are no JSON"),
            (["[1]"], "the arguments must be a JSON object"),
            (["{}", "--at", "noon"], "--at is 'noon'"),
            (["{}", "--confidence", "2"], "--confidence is 2; use a number from 0 to 1"),
        ],
    )
    def test_wrong_words_are_usage(
        self, capsys: pytest.CaptureFixture[str], words: list[str], fault: str
    ) -> None:
        assert fault in printed(capsys, "explain", "refund", *words, code=2)


class TestCheck:
    def test_a_sound_file_is_called_so(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "is sound: 3 rules" in printed(capsys, "check", str(path))

    def test_what_the_environment_lacks_for_it_is_told(
        self, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_text('version = 1\n[[rule]]\nname = "r"\ntools = ["a"]\nassurance = "key"\n')
        assert "asks for `key`, which nobody could give here: set APPROVALS_URL" in printed(capsys, "check")
        monkeypatch.setenv("APPROVALS_URL", "https://a.example")
        assert "start" not in printed(capsys, "check")
        assert json.loads(printed(capsys, "check", "--json"))["lacks"] is None

    def test_each_fault_is_a_line_and_the_code_is_1(
        self, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path.write_text(SOUND + "rejections = 0\nwen = 1\n")
        told = printed(capsys, "check", code=1).splitlines()
        assert [line.split(":")[0] for line in told] == ["line 22, rule “large”", "line 23, rule “large”"]

    def test_scripts_get_json(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path.write_text("version = 2")
        told = json.loads(printed(capsys, "check", "--json", code=1))
        assert (told["ok"], told["faults"][0]["line"]) == (False, 1)

    def test_a_file_that_is_not_there_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert "can't be read" in printed(capsys, "check", str(tmp_path / "none.toml"), code=1)
