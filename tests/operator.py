"""`countersign` as an operator types it, for tests."""

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from approvals import cli

COUNTERSIGN = str(Path(sys.executable).with_name("countersign"))
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


async def countersign(env: Mapping[str, str], *arguments: str, typed: str = "") -> Said:
    """Run the command in a thread of this process: starting a process takes longer than most commands do."""
    async with asyncio.timeout(30):
        return await asyncio.to_thread(_run, _kept(env), arguments, typed)


async def countersign_process(env: Mapping[str, str], *arguments: str, typed: str = "") -> Said:
    """Run the command as an operator does."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        COUNTERSIGN, *arguments, cwd=ROOT, env=_kept(env), stdin=pipe, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate(typed.encode())
    assert process.returncode is not None
    assert "Traceback" not in err.decode()
    return Said(code=process.returncode, out=out.decode(), err=err.decode())


def _kept(env: Mapping[str, str]) -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | dict(env)


def _run(env: dict[str, str], arguments: tuple[str, ...], typed: str) -> Said:
    with _terminal(typed) as (out, err), patch.dict(os.environ, env, clear=True):
        try:
            code = cli.main(arguments)
        except SystemExit as end:  # argparse ends what it can't read
            code = end.code if isinstance(end.code, int) else 1
        return Said(code=code, out=_written(out), err=_written(err))


@contextlib.contextmanager
def _terminal(typed: str) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        patch("sys.stdin", io.TextIOWrapper(io.BytesIO(typed.encode()), encoding="utf-8")),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        yield out, err


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    written = stream.buffer
    assert isinstance(written, io.BytesIO)
    return written.getvalue().decode()
