"""`countersign mcp` and `countersign mcp-gateway`: MCP on stdin and stdout until the client closes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence

from approvals.client import Approvals
from approvals.errors import InvalidCall
from approvals.submitting import seconds_of

AGENT = "mcp"  # the name under which they ask, unless APPROVALS_AGENT tells another


def serve(timeout: str) -> int:
    """Offer an agent tools by which it asks people."""
    try:
        from approvals.adapters import mcp_server
    except ImportError as error:
        raise InvalidCall(str(error)) from error

    return _run(lambda approvals, timeout_s: mcp_server.serve(approvals, timeout_s=timeout_s), timeout)


def gate(command: Sequence[str], name: str | None, timeout: str) -> int:
    """Stand before the MCP server that `command` starts."""
    try:
        from approvals.adapters import mcp_gateway
    except ImportError as error:
        raise InvalidCall(str(error)) from error

    return _run(
        lambda approvals, timeout_s: mcp_gateway.serve(approvals, command, name=name, timeout_s=timeout_s),
        timeout,
    )


def _run(serve: Callable[[Approvals, float], Awaitable[int]], timeout: str) -> int:
    timeout_s = seconds_of("timeout", timeout) or 0.0

    async def serving() -> int:
        async with Approvals.connect(agent=os.environ.get("APPROVALS_AGENT") or AGENT) as approvals:
            return await serve(approvals, timeout_s)

    return asyncio.run(serving())
