"""The API held against its own document, by a program that tries what it allows and what it doesn't."""

import asyncio
import sys
from pathlib import Path

CONFIG = """
[parameters]
"query.wait" = 0.01
{more}
[checks.positive_data_acceptance]
# 422: what the document can't say, such as that JSON's numbers must be exact
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
"""


async def fuzzed(url: str, token: str, directory: Path, *options: str, more: str = "") -> str:
    """What schemathesis has to complain of; "": nothing."""
    config = directory / "schemathesis.toml"
    config.write_text(CONFIG.format(more=more))
    program = Path(sys.executable).with_name("schemathesis")
    running = await asyncio.create_subprocess_exec(
        *(program, "--config-file", config, "run", f"{url}/openapi.json"),
        *("-H", f"Authorization: Bearer {token}", "--no-color", "--warnings=off"),
        *("--continue-on-failure", *options),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await running.communicate()
    return "" if running.returncode == 0 else said.decode()
