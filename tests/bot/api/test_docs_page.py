"""Every command of docs/agents/http.md does what the page says; `…` stands for what differs each time."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.clerk import serving, yes

PAGE = (Path(__file__).parents[3] / "docs" / "agents" / "http.md").read_text()
SHOWN = re.findall(r"```sh\n(.*?)```\n```(?:json|text)\n(.*?)```", PAGE, re.DOTALL)


async def test_the_commands_answer_as_shown(url: str, token: str, redis_url: str, tenant: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the page's commands need curl, which is not installed")
    assert len(SHOWN) == PAGE.count("```sh\n")
    environment = os.environ | {"URL": url, "TOKEN": token}
    async with serving(redis_url, tenant, habit=yes), asyncio.timeout(30):
        for command, expected in SHOWN:
            said = await _run(command, environment)
            pattern = re.escape(expected.strip()).replace("…", ".+?")
            assert re.fullmatch(pattern, said.strip(), re.DOTALL), f"{command}\n{said}"
            environment.setdefault("ID", said[7:35])


async def _run(command: str, environment: dict[str, str]) -> str:
    running = await asyncio.create_subprocess_exec(
        *("bash", "-c", command), env=environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await running.communicate()
    return said.decode()
