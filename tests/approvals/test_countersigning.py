"""Signing on the approver's machine: a page that lies is found out, and nothing is signed unseen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from approvals import statements
from approvals.canonical import fingerprint
from approvals.countersigning import ASKED, Asked
from approvals.errors import NotSigned
from approvals.sshsig import signed_by
from approvals.statements import Statement, sha256
from tests.builders import REFUND, T0
from tests.operator import Said, countersign
from tests.ssh_keys import keygen

TOKEN = "A" * 43
SAYS = Statement(
    tenant="default",
    request="R-01",
    tool="refund",
    fingerprint=fingerprint("refund", REFUND),
    turn=0,
    verb="approve",
    note_sha256=None,
    person="U0ANA",
    link=sha256(TOKEN),
    at=T0,
)


@asynccontextmanager
async def a_service(**lie: Any) -> AsyncIterator[str]:
    """The link of one that says so; what it was handed stands in `handed`."""
    says = replace(SAYS, **{name: value for name, value in lie.items() if name in Statement.__slots__})
    told = Asked(
        statement=lie.get("statement", says.text),
        about={"Asked by": "billing", "Its agent’s words": "Small.\n\nrefund {}"},
        args=lie.get("args", REFUND),
        masked=lie.get("masked", ()),
    )

    async def call(_: web.Request) -> web.StreamResponse:
        if "leads" in lie:
            return web.Response(status=302, headers={"Location": lie["leads"]})
        return web.json_response(lie.get("body", ASKED.plain(told)))

    async def take(request: web.Request) -> web.Response:
        signature = str((await request.post())["signature"])
        key = signed_by(signature, statements.NAMESPACE, told.statement.encode())
        return web.json_response({"told": f"You approved it with {key.kind}."})

    app = web.Application()
    app.router.add_get("/confirm/default/{token}/call", call)
    app.router.add_post("/confirm/default/{token}/signature", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/confirm/default/{TOKEN}"
    finally:
        await runner.cleanup()


@pytest.fixture
def key(tmp_path: Path) -> str:
    keygen("-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "id"))
    return str(tmp_path / "id")


async def signing(link: str, key: str, typed: str = "y\n") -> Said:
    return await countersign({}, "sign", link, "--key", key, typed=typed)


async def test_the_call_is_seen_and_then_signed(key: str) -> None:
    async with a_service() as link:
        told = await signing(link, key)
    assert told.code == 0 and "You approved it with ecdsa" in told.out
    assert (
        "Small. ⏎  ⏎ refund {}" in told.out
        and '"amount": 940' in told.out
        and SAYS.fingerprint in told.out
        and "U0ANA" in told.out
    )


async def test_what_is_masked_is_told_as_not_to_be_checked(key: str) -> None:
    async with a_service(args={"amount": 940, "token": "•••"}, masked=("/token",)) as link:
        told = await signing(link, key, typed="\n")
    assert told.code == 1 and "can't check them: /token" in told.out and "nothing was signed" in told.err


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({"args": {**REFUND, "amount": 9}}, "not the one that would be signed"),
        ({"tool": "deploy"}, "not the one that would be signed"),
        ({"link": sha256("B" * 43)}, "for another link"),
        ({"statement": SAYS.text.replace('"turn":0', '"turn":0,"more":1')}, "not written as they are"),
        ({"statement": "{}"}, "no statement"),
        ({"body": {"statement": "{}"}}, "not Countersign's"),
        ({"leads": "http://127.0.0.1:1/elsewhere"}, "answered 302"),
    ],
)
async def test_a_page_that_lies_is_not_signed(key: str, lie: dict[str, Any], why: str) -> None:
    async with a_service(**lie) as link:
        told = await signing(link, key)
    assert told.code != 0 and why in told.err and "[y/N]" not in told.err


@pytest.mark.parametrize(
    "link",
    [
        "",
        "R-7K2M",
        f"http://evil.example/confirm/default/{TOKEN}",
        f"https://a/confirm/default/{TOKEN}/call",
        "file:///etc/x",
    ],
)
async def test_only_a_link_to_sign_is_asked(link: str, key: str) -> None:
    told = await signing(link, key)
    assert told.code == 2 and "no link to sign" in told.err


async def test_without_a_key_nothing_is_asked_for(tmp_path: Path) -> None:
    told = await countersign({"HOME": str(tmp_path)}, "sign", f"https://127.0.0.1:1/confirm/default/{TOKEN}")
    assert told.code == 2 and "there is no key in ~/.ssh" in told.err
    async with a_service() as link:
        told = await signing(link, str(tmp_path / "none"))
    assert told.code == 1 and "has not signed" in told.err


def test_a_statement_is_written_in_one_way() -> None:
    assert statements.read(SAYS.text) == SAYS and SAYS.text.count("\n") == 1
    for other in (SAYS.text.strip(), " " + SAYS.text, SAYS.text.replace(",", ", "), SAYS.text + "\n"):
        with pytest.raises(NotSigned):
            statements.read(other)
