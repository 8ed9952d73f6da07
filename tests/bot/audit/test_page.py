"""docs/audit.md: its programs check what we export, and are not taken in by a forged log."""

import asyncio
import base64
import json
import re
import sys
from pathlib import Path

from approvals.model import RequestId
from bot.app import Service
from tests.auditing import decided, logged, signed
from tests.bot.audit.conftest import Operator

PAGE = (Path(__file__).parents[3] / "docs" / "audit.md").read_text()
LOG, PROOF = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PROOF = LOG[: LOG.index("log, note, key =")] + PROOF
ID = RequestId("R-" + "A" * 26)


async def ran(program: str, *arguments: object) -> tuple[int | None, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *map(str, arguments), stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode, (out or err).decode()


async def test_its_programs_check_a_log_and_a_proof(house: Service, audit: Operator, tmp_path: Path) -> None:
    await decided(house, ID, yes=False)
    await audit("erase", ID, "asked for")
    await logged(house, 4)
    await signed(house)
    (name,) = (await audit("checkpoint", "--keys")).out.split()
    key = base64.b64encode(base64.b64decode(name.split("+", 2)[2])[1:]).decode()
    log, note, proof = (tmp_path / each for each in ("log.jsonl", "note.txt", "proof.json"))
    lines = (await audit("export")).out
    log.write_text(lines)
    note.write_text((await audit("checkpoint")).out)
    proof.write_text((await audit("prove", "6")).out)
    assert await ran(LOG, log, note, key) == (0, "13 entries hold; 13 of them are signed\n")
    assert await ran(PROOF, proof, key) == (0, "entry 6 is in the log of 13\n")

    log.write_text(lines.replace("agent:billing", "agent:other", 1))
    code, said = await ran(LOG, log, note, key)
    assert (code, "entry 2 was changed" in said) == (1, True)
    found = json.loads(proof.read_text())
    proof.write_text(json.dumps(found | {"path": found["path"][::-1]}))
    assert (await ran(PROOF, proof, key))[0] == 1
