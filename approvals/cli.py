"""`countersign`: ask and wait from scripts and CI jobs; the service adds its own commands."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TypeAlias

from rich.console import Console

from approvals import receipts, wire
from approvals.client import Approvals, not_approved
from approvals.errors import (
    AmbiguousId,
    ApprovalsError,
    InvalidCall,
    KeyReused,
    NotApproved,
    RequestNotFound,
    StillPending,
    Unavailable,
)
from approvals.messages import Outcome, OutcomeStatus
from approvals.model import Args, Json, Risk
from approvals.signed import SIGNED_DECISION
from approvals.submitting import About

FINE, NO, USAGE, UNAVAILABLE, NOT_FOUND, PENDING, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
_CODES: tuple[tuple[type[ApprovalsError], int], ...] = (
    (RequestNotFound, NOT_FOUND),
    (AmbiguousId, NOT_FOUND),
    (InvalidCall, USAGE),
    (KeyReused, USAGE),
    (Unavailable, UNAVAILABLE),
    (StillPending, PENDING),
    (ApprovalsError, NO),
)

COMMANDS = "countersign.commands"  # the entry points that add commands: register(subparsers) -> None
TWO_WORDS = ("receipt show", "receipt verify")  # beside `receipt ID ok`, which scripts use
OURS = (
    "receipt verify",
    "sign",
    "request",
    "ask",
    "reply",
    "wait",
    "claim",
    "receipt",
    "cancel",
    "hook",
    "mcp",
    "mcp-gateway",
)

ABOUT = "People approve what AI agents want to do, in Slack, before it happens."
NOTES = """\
Agents' commands read REDIS_URL, APPROVALS_AGENT and APPROVALS_TENANT.

examples:
  countersign request deploy '{"version": "v2.1"}' --reason "release day"
  countersign ask "Which region?" --option eu --option us
  id=$(countersign request deploy '{"version": "v2.1"}' --key release-2.1 --no-wait)
  countersign wait "$id" --timeout 30m && countersign claim "$id" && ./deploy && countersign receipt "$id" ok

exit codes:
  0  fine: approved, answered, done
  1  the answer is no, or a fault was found
  2  the command can't be understood
  3  Redis, or something else that is needed, is away; try again
  4  no such request, or several
  5  still pending: nobody has decided yet
"""

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command: TypeAlias = Callable[[Approvals, argparse.Namespace], Awaitable[int]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors are one sentence on stderr."""
    given = _joined(list(sys.argv[1:] if argv is None else argv))
    parser = _parser(with_service=given[:1] == [] or given[0] not in OURS)
    arguments = parser.parse_args(given)
    if not hasattr(arguments, "run"):
        parser.print_help(sys.stderr)
        return USAGE
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except ApprovalsError as error:
        return _fail(str(error), next(code for kind, code in _CODES if isinstance(error, kind)))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read us has seen enough; nothing more may be written at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO
    return code


def _joined(given: list[str]) -> list[str]:
    two = " ".join(given[:2])
    return [two, *given[2:]] if two in TWO_WORDS else given


def _parser(*, with_service: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="countersign", description=ABOUT, epilog=NOTES, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"countersign {version('countersign')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (
        _add_request,
        _add_ask,
        _add_reply,
        _add_wait,
        _add_claim,
        _add_receipt,
        _add_verify,
        _add_sign,
        _add_cancel,
        _add_hook,
        _add_mcp,
    ):
        add(commands)
    if with_service:
        _add_others(commands)
    return parser


def _add_others(commands: Subparsers) -> None:
    """Let installed packages add theirs. The service may be absent: agents install `approvals` alone."""
    for entry in entry_points(group=COMMANDS):
        try:
            register = entry.load()
        except ModuleNotFoundError as missing:
            if missing.name not in (entry.module, entry.module.partition(".")[0]):
                _fail(f"{entry.name} commands are left out: {missing}", USAGE)
            continue
        register(commands)


def _command(
    commands: Subparsers, name: str, run: Command, *, help: str, more: str = "", example: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}. {more}".strip(),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")
    parser.set_defaults(run=lambda arguments: asyncio.run(_connected(run, arguments)))
    return parser


async def _connected(run: Command, arguments: argparse.Namespace) -> int:
    async with Approvals.connect() as approvals:
        return await run(approvals, arguments)


# -- asking -------------------------------------------------------------------------------------------


def _add_request(commands: Subparsers) -> None:
    parser = _command(
        commands,
        "request",
        _request,
        help="ask for approval of a call, and wait for it",
        more="Prints the args to use, which a person may have edited.",
        example='countersign request refund \'{"customer": "c_42", "amount": 940}\' --risk high',
    )
    parser.add_argument("tool", metavar="TOOL", help="what is to be called")
    parser.add_argument(
        "args", metavar="ARGS_JSON", help="its arguments, a JSON object; - reads them from stdin"
    )
    _add_options(parser)
    parser.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="wait for the decision (unless told), or print the id and go on",
    )


async def _request(approvals: Approvals, arguments: argparse.Namespace) -> int:
    ticket = await approvals.submit(arguments.tool, _args(arguments.args), **_about(arguments))
    if not arguments.wait:
        _out(_json({"id": ticket.id, "is_new": ticket.is_new}) if arguments.json else ticket.id)
        return FINE
    return await _await(approvals, ticket.id, arguments)


def _add_ask(commands: Subparsers) -> None:
    parser = _command(
        commands,
        "ask",
        _ask,
        help="ask people a question, and print the answer",
        more="With --many it is a JSON list, with --schema a JSON object.",
        example='countersign ask "Which region?" --option eu --option us --timeout 1h',
    )
    parser.add_argument("question", metavar="QUESTION")
    parser.add_argument(
        "--option", action="append", metavar="TEXT", help="one to choose from; may be repeated"
    )
    parser.add_argument("--free-text", action="store_true", help="with options: other words will do as well")
    parser.add_argument("--many", action="store_true", help="with options: several may be chosen")
    parser.add_argument(
        "--schema", metavar="JSON", help="a form instead, from this JSON Schema; - reads it from stdin"
    )
    parser.add_argument("--context", metavar="TEXT", help="what one must know to answer")
    _add_options(parser)


async def _ask(approvals: Approvals, arguments: argparse.Namespace) -> int:
    question, options, context = arguments.question, arguments.option, arguments.context
    about, timeout = _about(arguments), arguments.timeout
    asking: Awaitable[object]
    if arguments.many:
        asking = approvals.ask(question, options or (), context, many=True, timeout=timeout, **about)
    else:
        schema = None if arguments.schema is None else _object("--schema", arguments.schema)
        free_text = True if arguments.free_text else None
        asking = approvals.ask(question, options, context, free_text, schema=schema, timeout=timeout, **about)
    return await _answered(asking, arguments)


async def _answered(asking: Awaitable[object], arguments: argparse.Namespace) -> int:
    """Print the answer; of anything else that people say, with --json, the outcome."""
    try:
        with _waiting("people to answer"):
            answer = await asking
    except NotApproved as no:
        if arguments.json and no.outcome is not None:
            _out(_told(no.outcome))
        raise
    if arguments.json:
        _out(_json({"answer": answer}))
    else:
        _out(printable(answer) if isinstance(answer, str) else _json(answer))
    return FINE


def _add_reply(commands: Subparsers) -> None:
    parser = _command(
        commands,
        "reply",
        _reply,
        help="answer what a person has asked back, and wait for the decision",
        more="The request stays as it is; people read the reply on its card.",
        example='countersign reply "$id" "Both cost the same."',
    )
    _add_id(parser)
    parser.add_argument("text", metavar="TEXT", help="the reply")
    _add_timeout(parser)


async def _reply(approvals: Approvals, arguments: argparse.Namespace) -> int:
    await approvals.reply(arguments.id, arguments.text)
    return await _await(approvals, arguments.id, arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="TEXT", help="why, for those who decide")
    parser.add_argument(
        "--key", metavar="TEXT", help="the same key is the same request, however often it is sent"
    )
    parser.add_argument("--risk", choices=list(Risk), help="raises what the policy says, never lowers it")
    parser.add_argument("--on-behalf-of", metavar="ID", help="the Slack id of whoever it is for")
    parser.add_argument("--deadline", metavar="SPAN", help="when it expires, such as 30m or 4h")
    parser.add_argument("--callback-url", metavar="URL", help="is called when there is something to tell")
    _add_timeout(parser)


def _about(arguments: argparse.Namespace) -> About:
    return {
        "reason": arguments.reason,
        "key": arguments.key,
        "risk": arguments.risk,
        "on_behalf_of": arguments.on_behalf_of,
        "deadline": arguments.deadline,
        "callback_url": arguments.callback_url,
    }


def _args(text: str) -> Args:
    return _object("ARGS_JSON", text)


def _object(name: str, text: str) -> dict[str, Json]:
    try:
        found: dict[str, Json] = json.loads(sys.stdin.read() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        raise InvalidCall(f"{name} is not JSON: {error}") from error
    return found


# -- waiting ------------------------------------------------------------------------------------------


def _add_wait(commands: Subparsers) -> None:
    parser = _command(
        commands,
        "wait",
        _wait,
        help="wait until a request is decided",
        more="Uses nothing up: it may be waited for again.",
        example="countersign wait R-7K2M… --timeout 30m",
    )
    _add_id(parser)
    _add_timeout(parser)


async def _wait(approvals: Approvals, arguments: argparse.Namespace) -> int:
    return await _await(approvals, arguments.id, arguments)


async def _await(approvals: Approvals, request_id: str, arguments: argparse.Namespace) -> int:
    """Print what became of it, in its own words: args, answer, or why not."""
    try:
        with _waiting(f"people to decide {request_id}"):
            outcome = await approvals.wait(request_id, arguments.timeout)
    except NotApproved as wanted:  # changes are requested
        if arguments.json and wanted.outcome is not None:
            _out(_told(wanted.outcome))
        raise
    if arguments.json:
        _out(_told(outcome))
    elif outcome.status is OutcomeStatus.APPROVED:
        _out(_json(outcome.args))
    elif outcome.status is OutcomeStatus.ANSWERED:
        _out(printable(outcome.text or ""))
    if outcome.status not in (OutcomeStatus.APPROVED, OutcomeStatus.ANSWERED):
        raise not_approved(outcome)
    return FINE


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        metavar="SPAN",
        help="wait so long at most, such as 30m; exit code 5 if nobody has decided",
    )


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", type=str.upper, help="the whole id, as `request --no-wait` prints it"
    )


# -- running ------------------------------------------------------------------------------------------


def _add_claim(commands: Subparsers) -> None:
    parser = _command(
        commands,
        "claim",
        _claim,
        help="take the leave to run an approved call, once",
        more="Prints the args to run it with.",
        example='args=$(countersign claim "$id") && ./refund "$args"',
    )
    _add_id(parser)


async def _claim(approvals: Approvals, arguments: argparse.Namespace) -> int:
    permit = await approvals.claim(arguments.id)
    _out(_json(wire.PERMIT.plain(permit) if arguments.json else permit.args))
    return FINE


def _add_receipt(commands: Subparsers) -> None:
    parser = _command(
        commands,
        "receipt",
        _receipt,
        help="report how an approved call went",
        example='countersign receipt "$id" failed "no such customer"',
    )
    _add_id(parser)
    parser.add_argument("how", choices=("ok", "failed"))
    parser.add_argument("result", nargs="?", metavar="TEXT", help="a few words about the result")


async def _receipt(approvals: Approvals, arguments: argparse.Namespace) -> int:
    await approvals.receipt(arguments.id, arguments.how == "ok", arguments.result)
    if arguments.json:
        _out(_json({"id": arguments.id}))
    return FINE


def _add_verify(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "receipt verify",
        help="check a signed decision, without Redis",
        description=(
            "Check that a decision receipt was signed by the service, and tell what was decided by whom."
            " FILE holds it alone, or the outcome, the permit or the entry of the audit log that carries it."
        ),
        epilog="Exit codes: 0 it holds, 1 it doesn't, 2 usage.\n\nexample:\n"
        "  countersign receipt show R-7K2M > receipt.json\n"
        "  countersign receipt verify receipt.json --key 'uRq…='",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the receipt (- for standard input)")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="KEY",
        help="a public key that counts, as `countersign keys list` has it; may be repeated"
        " (unless told: APPROVALS_PUBLIC_KEY)",
    )
    parser.add_argument(
        "--approvers",
        metavar="FILE",
        help="whose key is whose, as `countersign approver-keys list --allowed-signers` writes it: an"
        " approval must be signed with these, by everybody whose yes counted",
    )
    parser.add_argument("--json", action="store_true", help="print what was signed, as one JSON object")
    parser.set_defaults(run=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    keys = receipts.keys_of(arguments.key, os.environ.get("APPROVALS_PUBLIC_KEY"))
    approvers = None if arguments.approvers is None else _text(arguments.approvers)
    decision = receipts.checked(_text(arguments.file), keys, approvers)
    _out(_json(SIGNED_DECISION.plain(decision)) if arguments.json else printable(receipts.told(decision)))
    return FINE


def _text(name: str) -> str:
    try:
        with sys.stdin if name == "-" else open(name, encoding="utf-8") as file:  # noqa: PTH123 - both are files
            return file.read()
    except (OSError, ValueError) as error:
        raise InvalidCall(f"{name}: {error}") from error


def _add_sign(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "sign",
        help="approve a call with an SSH key of your own",
        description=(
            "Look at the call that a link from Slack is for, sign that it may run, and hand the signature in."
            " OpenSSH signs: your key may be in a file, an agent or a security key. It must be registered."
        ),
        epilog="Exit codes: 0 approved, 1 not signed or not taken, 2 usage, 3 unavailable.\n\nexample:\n"
        "  countersign sign https://approvals.example.com/confirm/…",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("link", metavar="LINK", help="from the button that Approve answers with")
    parser.add_argument(
        "--key",
        metavar="FILE",
        help="your key, or the public half of one in your agent (unless told: as ssh would choose)",
    )
    parser.set_defaults(run=_sign)


def _sign(arguments: argparse.Namespace) -> int:
    from approvals import countersigning  # which brings an HTTP client: nobody else's command waits for it

    key = Path(arguments.key) if arguments.key else countersigning.usual_key()
    asked = countersigning.asked(arguments.link)
    _out(printable(countersigning.shown(asked)))
    sys.stderr.write("Sign that this may run? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        return _fail("nothing was signed", NO)
    _out(printable(countersigning.hand_in(arguments.link, countersigning.signature_of(asked, key))))
    return FINE


def _add_cancel(commands: Subparsers) -> None:
    parser = _command(
        commands,
        "cancel",
        _cancel,
        help="take a request back",
        more="Once it is decided this changes nothing.",
        example='countersign cancel "$id" --reason "the customer called"',
    )
    _add_id(parser)
    parser.add_argument("--reason", metavar="TEXT")


async def _cancel(approvals: Approvals, arguments: argparse.Namespace) -> int:
    await approvals.cancel(arguments.id, arguments.reason)
    if arguments.json:
        _out(_json({"id": arguments.id}))
    return FINE


# -- for coding agents --------------------------------------------------------------------------------


def _add_hook(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "hook",
        help="ask before a coding agent's tool runs: Claude Code, Gemini CLI",
        description="Reads the event on stdin, asks, and prints the answer. Whatever fails is a denial.",
        epilog="example:\n  countersign hook claude --timeout 59m || exit 2  # in the agent's settings",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("harness", choices=("claude", "gemini"), help="whose hook this is")
    parser.add_argument(
        "--timeout",
        metavar="SPAN",
        default="50s",
        help="answer within this, which is less than the settings give the hook (50s unless told)",
    )
    parser.set_defaults(run=_hook)


def _hook(arguments: argparse.Namespace) -> int:
    from approvals.adapters import hook_command  # adapters stand on top of us, so only when it is wanted

    return hook_command.run(arguments.harness, arguments.timeout)


def _add_mcp(commands: Subparsers) -> None:
    _add_mcp_command(
        commands,
        "mcp",
        _mcp,
        "offer an agent tools that ask people, over MCP",
        "countersign mcp --timeout 25m",
    )
    example = "countersign mcp-gateway --name shop -- python shop_server.py"
    gateway = _add_mcp_command(
        commands, "mcp-gateway", _mcp_gateway, "ask before the tools of any MCP server run", example
    )
    gateway.add_argument("--name", help="goes before the names of its tools in the policy: shop.refund")
    gateway.add_argument("command", nargs="+", metavar="COMMAND", help="after --: what starts the server")


def _add_mcp_command(
    commands: Subparsers, name: str, run: Callable[[argparse.Namespace], int], help: str, example: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=help,
        description="Speaks MCP on stdin and stdout. Asks as `mcp` unless APPROVALS_AGENT names another.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--timeout",
        metavar="SPAN",
        default="50s",
        help="answer each call within this, which is less than the client waits (50s unless told)",
    )
    return parser


def _mcp(arguments: argparse.Namespace) -> int:
    from approvals.adapters import mcp_command

    return mcp_command.serve(arguments.timeout)


def _mcp_gateway(arguments: argparse.Namespace) -> int:
    from approvals.adapters import mcp_command

    return mcp_command.gate(arguments.command, arguments.name, arguments.timeout)


# -- saying -------------------------------------------------------------------------------------------


@contextmanager
def _waiting(what: str) -> Iterator[None]:
    """Say what is waited for: moving while somebody looks on, in one line otherwise."""
    console = Console(stderr=True, highlight=False, markup=False)
    if console.is_terminal:
        with console.status(f"Waiting for {what} …"):
            yield
    else:
        sys.stderr.write(f"waiting for {what}\n")
        yield


def _told(outcome: Outcome) -> str:
    return _json(wire.OUTCOME.plain(outcome))


def _json(value: object) -> str:
    return json.dumps(value)


def printable(text: str) -> str:
    """Other people's words as they are, but for what would steer a terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)


def _out(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _fail(sentence: str, code: int) -> int:
    sys.stderr.write(f"countersign: {printable(sentence)}\n")
    return code
