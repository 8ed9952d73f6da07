"""The service's commands of `countersign`: what waits, and deciding from a terminal."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from approvals.cli import FINE, NO, NOT_FOUND, UNAVAILABLE, USAGE, printable
from approvals.commands import Approve, Reject
from approvals.errors import ApprovalsError, Refusal
from approvals.masking import shown_args
from approvals.model import Person, PersonId, Request, Via
from blocks.action import headline
from blocks.request import whole_call
from bot import app, settings
from bot.checks import doctor
from bot.columns import show_table
from bot.desk import Decides, Verdict
from bot.login import operator
from bot.payloads import Who
from bot.plain import plain
from bot.terminal import agents as agent_commands
from bot.terminal import approver_keys as approver_key_commands
from bot.terminal import audit as audit_commands
from bot.terminal import policy as policy_commands
from bot.terminal import restored as restored_command
from bot.terminal import stats as stats_command
from bot.terminal import webhooks as webhook_commands
from bot.terminal.keys import register as register_keys
from bot.terminal.watch import watch
from bot.terminal.workspaces import register as register_workspaces

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Subparsers) -> None:
    """Add the service's commands to `countersign`."""
    _pending(commands)
    _approve(commands)
    _reject(commands)
    _watch(commands)
    audit_commands.register(commands)
    policy_commands.register(commands)
    stats_command.register(commands)
    agent_commands.register(commands)
    register_keys(commands)
    approver_key_commands.register(commands)
    webhook_commands.register(commands)
    restored_command.register(commands)
    register_workspaces(commands)
    doctor.register(commands)


# -- what waits ---------------------------------------------------------------------------------------


def _pending(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "pending",
        help="list the requests that wait for people",
        description="List the requests that wait for people, the oldest first.",
        epilog="Needs REDIS_URL (and APPROVALS_TENANT). With --json: one JSON array.",
    )
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--limit", type=int, default=50, help="how many at most (50)")
    parser.set_defaults(run=lambda arguments: _run(arguments, _list_pending, needs="redis"))


async def _list_pending(service: app.Service, arguments: argparse.Namespace) -> int:
    requests = await service.store.pending(limit=arguments.limit)
    if arguments.json:
        _out(json.dumps([_summary(request) for request in requests], ensure_ascii=False))
    elif not requests:
        _out("Nothing waits.")
    else:
        show_table(["id", "agent", "what", "risk", "until"], [_row(request) for request in requests])
    return FINE


def _summary(request: Request) -> dict[str, Any]:
    return {
        "id": request.id,
        "short": request.short,
        "agent": request.agent,
        "kind": request.kind,
        "tool": request.tool,
        "args": shown_args(request),
        "fingerprint": request.fingerprint,
        "risk": request.terms.risk,
        "reason": request.reason,
        "rule": request.terms.rule,
        "created_at": request.created_at.isoformat(),
        "deadline": request.deadline.isoformat() if request.deadline else None,
        "votes": [vote.person for vote in request.votes],
        "quorum": request.terms.quorum,
    }


def _row(request: Request) -> list[str]:
    until = request.deadline.astimezone().strftime("%a %H:%M") if request.deadline else "no deadline"
    return [request.short, request.agent, headline(request), request.terms.risk, until]


# -- deciding -----------------------------------------------------------------------------------------


def _approve(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "approve",
        help="approve a request from a terminal",
        description=(
            "Approve a request as the Slack person that your login name is mapped to ([operators] in"
            " the policy file), with the same checks as a click."
            " The call is shown first, and only that is approved."
        ),
        epilog="Exit codes: 0 approved, 1 not let through or confirmed, 2 usage, 3 unavailable, 4 not found.",
    )
    parser.add_argument("id", help="the id, or an unambiguous beginning of it, such as R-7K2M")
    parser.add_argument("note", nargs="*", help="words for the agent and the record")
    parser.add_argument(
        "--yes", action="store_true", help="don't ask whether the call shown is the one you mean"
    )
    parser.add_argument("--json", action="store_true", help="for scripts; needs --yes")
    parser.set_defaults(run=lambda arguments: _run(arguments, _do_approve, needs="token"))


def _reject(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "reject",
        help="reject a request from a terminal",
        description=(
            "Reject a request as the Slack person that your login name is mapped to ([operators] in the"
            " policy file), with the same checks as a click."
        ),
        epilog="Exit codes: 0 rejected, 1 not let through, 2 usage, 3 unavailable, 4 no such request.",
    )
    parser.add_argument("id", help="the id, or an unambiguous beginning of it, such as R-7K2M")
    parser.add_argument("reason", nargs="+", help="why; the agent gets these words")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.set_defaults(run=lambda arguments: _run(arguments, _do_reject, needs="token"))


def _watch(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "watch",
        help="see what waits, live, and decide with single keys",
        description=(
            "Show what waits, as far as the Slack person may see it that your login name is mapped to"
            " ([operators] in the policy file), and decide with the same checks as a click."
            " Only a call that was shown to its end can be approved."
        ),
        epilog="Keys: j k space move, Enter open, a approve, r reject, e edit in $EDITOR, q back and quit.",
    )
    parser.set_defaults(run=lambda arguments: _run(arguments, _do_watch, needs="token"))


async def _do_watch(service: app.Service, _: argparse.Namespace) -> int:
    if service.slack is None:
        return _fail("deciding needs SLACK_BOT_TOKEN: it is checked in Slack who you are", UNAVAILABLE)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _fail("watch needs a terminal; for scripts there are pending, approve and reject", USAGE)
    if _operator(service) is None:
        return await _unmapped(service, "", "watch")

    def who() -> Who:
        return _operator(service) or Who(id=PersonId(""), team=None)  # mapped no longer: nobody

    return await watch(service, service.slack.desk, who)


async def _do_approve(service: app.Service, arguments: argparse.Namespace) -> int:
    if arguments.json and not arguments.yes:
        return _fail("--json can't ask, so it needs --yes", USAGE)

    def command(person: Person, request: Request) -> Decides:
        return Approve(by=person, seen=request.fingerprint, note=" ".join(arguments.note) or None)

    async def confirmed(request: Request) -> bool:
        if not arguments.json:
            _out(f"{headline(request)}\n{request.agent} asks · {request.terms.risk} risk · {request.short}\n")
            _out(whole_call(request).text + "\n")
        return bool(arguments.yes) or await asyncio.to_thread(_asked, "Approve exactly this call? [y/N] ")

    return await _decide(service, arguments, "approve", command, confirmed)


async def _do_reject(service: app.Service, arguments: argparse.Namespace) -> int:
    def command(person: Person, _: Request) -> Decides:
        return Reject(by=person, feedback=" ".join(arguments.reason))

    async def confirmed(_: Request) -> bool:
        return True

    return await _decide(service, arguments, "reject", command, confirmed)


async def _decide(
    service: app.Service,
    arguments: argparse.Namespace,
    verb: str,
    command: Callable[[Person, Request], Decides],
    confirmed: Callable[[Request], Awaitable[bool]],
) -> int:
    if service.slack is None:
        return _fail("deciding needs SLACK_BOT_TOKEN: it is checked in Slack who you are", UNAVAILABLE)
    desk, who = service.slack.desk, _operator(service)
    if who is None:
        return await _unmapped(service, arguments.id, verb)
    found = await desk.find(who, arguments.id, verb, via=Via.CLI)
    if found.request is None:
        return _fail(plain(found.refusal or ""), NOT_FOUND)
    shown = found.request
    if not await confirmed(shown):
        return _fail("Nothing was decided.", NO)

    def of_what_was_shown(person: Person, _: Request) -> Decides:
        return command(person, shown)

    verdict = await desk.decide(who, shown.id, verb, of_what_was_shown, via=Via.CLI)
    return _tell(verdict, arguments)


def _operator(service: app.Service) -> Who | None:
    person = service.policy.operators.get(operator().name)
    return None if person is None else Who(id=PersonId(person), team=None)


async def _unmapped(service: app.Service, typed: str, verb: str) -> int:
    actor = operator()
    name = actor.name
    await service.store.refuse(typed, actor, verb, "the operator is mapped to no Slack user", Via.CLI)
    return _fail(
        f'You are {name!r}, mapped to no Slack user: add {name} = "U…" to [operators] in the policy.',
        NO,
    )


def _tell(verdict: Verdict, arguments: argparse.Namespace) -> int:
    request = verdict.request
    if verdict.refusal is not None or request is None:
        return _fail(plain(verdict.refusal or ""), NO)
    if arguments.json:
        _out(json.dumps({"id": request.id, "status": request.status, "votes": len(request.votes)}))
    else:
        _out(
            f"{request.short}: {request.status}"
            + (f" ({len(request.votes)} of {request.terms.quorum})" if request.is_pending else "")
        )
    return FINE


# -- running ------------------------------------------------------------------------------------------


def _run(
    arguments: argparse.Namespace,
    command: Callable[[app.Service, argparse.Namespace], Awaitable[int]],
    *,
    needs: settings.Need,
) -> int:
    async def run() -> int:
        async with app.built(settings.read(os.environ, needs=needs), with_slack=needs != "redis") as service:
            return await command(service, arguments)

    try:
        return asyncio.run(run())
    except Refusal as refusal:
        return _fail(f"{refusal}.", NOT_FOUND)
    except settings.SettingsFault as fault:
        return _fail(str(fault), USAGE)
    except ApprovalsError as error:
        return _fail(str(error), UNAVAILABLE)


def _asked(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _out(text: str) -> None:
    sys.stdout.write(printable(text) + "\n")


def _fail(text: str, code: int) -> int:
    sys.stderr.write(f"countersign: {printable(text)}\n")
    return code
