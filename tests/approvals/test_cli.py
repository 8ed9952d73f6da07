"""`countersign` in scripts and CI jobs: what it prints, and with which code it ends."""

import asyncio
import io
import json
import sys

import pytest

from approvals.cli import FINE, NO, PENDING, UNAVAILABLE, USAGE, main
from approvals.ids import new_id
from approvals.model import I_TAKE_OVER, Status
from tests.clerk import serving, yes

DEPLOY = '{"version": "v2.1"}'


@pytest.fixture(autouse=True)
def environment(redis_url: str, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("APPROVALS_AGENT", "ci")
    monkeypatch.setenv("APPROVALS_TENANT", tenant)


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, arguments)


async def test_a_request_prints_the_args_to_use(
    redis_url: str, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(run("request", "deploy", DEPLOY, "--reason", "release day"))
        [request] = await clerk.arrived()
        await clerk.approve(request.id, edited={"version": "v2.2"})
        assert await asking == FINE
    said = capsys.readouterr()
    assert json.loads(said.out) == {"version": "v2.2"}
    assert request.id in said.err  # so that who is interrupted can go on waiting
    assert request.reason == "release day"


async def test_a_rejection_is_one_sentence_and_code_1(
    redis_url: str, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(run("request", "deploy", DEPLOY, "--json"))
        [request] = await clerk.arrived()
        await clerk.reject(request.id, "not on a Friday\x1b[2J")
        assert await asking == NO
    said = capsys.readouterr()
    assert json.loads(said.out)["status"] == "rejected"
    assert said.err.splitlines()[-1] == (
        f"countersign: {request.id} was rejected by Ada: not on a Friday�[2J"
    )


async def test_a_script_asks_waits_claims_and_reports(
    redis_url: str, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(redis_url, tenant) as clerk:
        assert await run("request", "deploy", DEPLOY, "--key", "v2.1", "--no-wait") == FINE
        id = capsys.readouterr().out.strip()
        assert await run("request", "deploy", DEPLOY, "--key", "v2.1", "--no-wait", "--json") == FINE
        assert json.loads(capsys.readouterr().out) == {"id": id, "is_new": False}
        await clerk.arrived()
        assert await run("wait", id, "--timeout", "1s") == PENDING
        assert f"{id} is still pending" in capsys.readouterr().err
        await clerk.approve(id)
        assert await run("wait", id.lower(), "--json") == FINE
        assert json.loads(capsys.readouterr().out)["args"] == {"version": "v2.1"}
        assert await run("claim", id) == FINE
        assert json.loads(capsys.readouterr().out) == {"version": "v2.1"}
        assert await run("claim", id) == NO
        assert await run("receipt", id, "failed", "no such host") == FINE
        done = await clerk.until_status(id, Status.FAILED)
    assert done.receipt is not None and done.receipt.result == "no such host"


async def test_a_question_prints_the_answer(
    redis_url: str, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(run("ask", "Which region?", "--option", "eu", "--option", "us"))
        [question] = await clerk.arrived()
        await clerk.answer(question.id, "us")
        assert await asking == FINE
    assert capsys.readouterr().out == "us\n"


async def test_several_options_and_forms_are_answered_in_json(
    redis_url: str, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    form = '{"type": "object", "properties": {"copies": {"type": "integer"}}, "required": ["copies"]}'
    several = ("ask", "Which?", "--option", "eu", "--option", "us", "--many")
    for arguments, answer, printed in (
        (several, '["eu", "us"]', ["eu", "us"]),
        (("ask", "How?", "--schema", form), '{"copies": 3}', {"copies": 3}),
        ((*several, "--json"), '["us"]', {"answer": ["us"]}),
    ):
        async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
            asking = group.create_task(run(*arguments))
            [question] = await clerk.arrived()
            await clerk.answer(question.id, answer)
            assert await asking == FINE
        assert json.loads(capsys.readouterr().out) == printed


async def test_a_question_that_is_asked_back_is_replied_to(
    redis_url: str, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(run("ask", "Which region?", "--json"))
        [question] = await clerk.arrived()
        await clerk.send_back(question.id, "for whom?")
        assert await asking == NO
        back = json.loads(capsys.readouterr().out)
        assert (back["status"], back["text"]) == ("changes_requested", "for whom?")
        replying = group.create_task(run("reply", back["id"], "for the shop"))
        await clerk.until(lambda: clerk.requests[question.id].sent_back is None)
        assert clerk.requests[question.id].reason == "for the shop"
        await clerk.answer(question.id, "eu")
        assert await replying == FINE
    assert capsys.readouterr().out == "eu\n"


async def test_a_person_who_takes_over_ends_the_script(
    redis_url: str, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(run("ask", "Which region?"))
        [question] = await clerk.arrived()
        await clerk.answer(question.id, I_TAKE_OVER)
        assert await asking == NO
    said = capsys.readouterr()
    assert said.out == ""
    assert "Ada has taken over" in said.err


async def test_a_request_is_taken_back(
    redis_url: str, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(redis_url, tenant) as clerk:
        await run("request", "deploy", DEPLOY, "--no-wait")
        id = capsys.readouterr().out.strip()
        await clerk.arrived()
        assert await run("cancel", id, "--reason", "wrong branch") == FINE
        assert await run("wait", id) == NO
    assert "was cancelled: wrong branch" in capsys.readouterr().err


async def test_args_may_come_from_stdin(redis_url: str, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(DEPLOY))
    async with serving(redis_url, tenant, habit=yes) as clerk:
        assert await run("request", "deploy", "-") == FINE
        [request] = await clerk.arrived()
    assert request.args == {"version": "v2.1"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("request", "deploy", "{version: 2}"), "ARGS_JSON is not JSON"),
        (("request", "deploy", '["v2.1"]'), "args must be a JSON object"),
        (("request", "deploy", '{"n": NaN}'), "args.n is nan"),
        (("request", "deploy", "{}", "--deadline", "soon"), "write it as 90s, 30m"),
        (("request", "deploy", "{}", "--callback-url", "hooks"), "callback_url"),
        (("ask", "Which?", "--many"), "many=True is for questions with options"),
        (("ask", "Which?", "--schema", "{"), "--schema is not JSON"),
        (("ask", "Which?", "--schema", "{}", "--option", "eu"), "a form, or options and words"),
        (("request", "deploy", "{}", "--on-behalf-of", "ada"), "Slack id"),
        (("wait", "R-7K2M"), "is no request id"),
        (("wait", new_id(), "--timeout", "soon"), "timeout"),
    ],
)
async def test_what_cannot_be_asked_for_ends_with_code_2(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(*arguments) == USAGE
    assert told in capsys.readouterr().err


async def test_without_redis_it_ends_with_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@127.0.0.1:1/0")
    assert await run("request", "deploy", DEPLOY) == UNAVAILABLE
    said = capsys.readouterr().err
    assert "127.0.0.1:1" in said and "hunter2" not in said


async def test_without_a_name_it_says_which_variable_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("APPROVALS_AGENT")
    assert await run("cancel", new_id()) == USAGE
    assert "APPROVALS_AGENT" in capsys.readouterr().err


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == USAGE
    said = capsys.readouterr().err
    assert "exit codes:" in said and "examples:" in said


@pytest.mark.parametrize(
    "command", ["request", "ask", "reply", "wait", "claim", "receipt", "cancel", "hook", "mcp", "mcp-gateway"]
)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"countersign {command} " in capsys.readouterr().out.partition("example:")[2]


def test_the_wheel_alone_has_the_agents_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Agents install `approvals` without the service, whose commands are then just not there."""
    monkeypatch.setitem(sys.modules, "bot", None)
    monkeypatch.delitem(sys.modules, "bot.terminal.requests", raising=False)
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr()
    assert "request" in said.out and "audit" not in said.out
    assert said.err == ""
