"""Every program in the README and in docs/agents.md is a file, and does what the page says."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from approvals.commands import Answer, AskUndo, Command, Reject, RequestChanges
from approvals.model import Kind, Request
from tests.clerk import ADA, serving, yes

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("agents.md", "agents/batches.md", "agents/questions.md")
PAGE = "".join((DOCS / page).read_text() for page in PAGES)
README = (DOCS.parent / "README.md").read_text()
# Each program, and what the page says it prints.
SHOWN: dict[str, str] = dict(re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", PAGE, re.DOTALL))
PROGRAMS = {path.read_text(): path for path in sorted((DOCS / "examples").glob("*.py"))}


ANSWERS = {"Who is told?": '["ops", "legal"]', "How is it set up?": '{"region": "eu", "copies": 3}'}


def habit(request: Request) -> Command:
    """What the people in the page's stories do."""
    if request.tool == "escalate":
        return Answer(by=ADA, text="pay the first one")
    if request.kind is Kind.QUESTION:
        words = str(request.args["question"])
        return Answer(by=ADA, text=ANSWERS.get(words, "eu"))
    if request.tool == "delete_account":
        return Reject(by=ADA, feedback="it has open invoices")
    if request.tool == "send_mail" and request.round == 0:
        return RequestChanges(by=ADA, feedback="say when")
    if request.review is not None:
        return AskUndo(by=ADA, text="the customer still waits")
    return yes(request)


@pytest.mark.parametrize("program", SHOWN, ids=lambda program: PROGRAMS[program].stem)
async def test_a_program_prints_what_the_page_says(program: str, redis_url: str, tenant: str) -> None:
    environment = {"REDIS_URL": redis_url, "APPROVALS_AGENT": "docs", "APPROVALS_TENANT": tenant}
    async with serving(redis_url, tenant, habit=habit, reviewed=["close_ticket"]), asyncio.timeout(30):
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAMS[program]),
            env=os.environ | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, complained = await running.communicate()
    assert complained.decode() == ""
    assert said.decode() == SHOWN[program]


def test_the_program_of_the_readme_is_one_of_them() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert program in SHOWN


def test_every_program_on_the_page_is_a_file() -> None:
    shown = set(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    assert shown == SHOWN.keys()
    assert shown <= PROGRAMS.keys()
