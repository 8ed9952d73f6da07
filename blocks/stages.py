"""What is said to whoever promotes or demotes a tool, or asks how tools stand: mrkdwn, for them alone."""

from __future__ import annotations

from collections.abc import Mapping

from approvals.model import Request
from blocks.replies import Commands
from blocks.request import label
from blocks.text import escape, one_line

TOOL_CHARS = 80
LISTED = 30
NO_OWNERS = "Nobody could approve that: the policy names nobody as `policy` under `[owners]`."


def usage(commands: Commands) -> str:
    return (
        f"Type `/{commands.approvals} stage TOOL autonomous`, `approval` or `disabled`. "
        "The policy's owners approve it, on a card."
    )


def listed(stages: Mapping[str, str], commands: Commands) -> str:
    """What tools may do at all, the file's and what was set from Slack."""
    lines = [f"• `{_tool(tool)}`: {stage}" for tool, stage in sorted(stages.items())[:LISTED]]
    more = [f"… and {len(stages) - LISTED} more."] if len(stages) > LISTED else []
    return "\n".join(
        [*(lines or ["No tool has a stage: the rules say what each may do."]), *more, usage(commands)]
    )


def asked(request: Request, tool: str, stage: str) -> str:
    return f"{escape(label(request))} asks the policy's owners whether `{_tool(tool)}` may be {stage}."


def as_it_is(tool: str, stage: str) -> str:
    return f"`{_tool(tool)}` is {stage} already."


def _tool(tool: str) -> str:
    return escape(one_line(tool, TOOL_CHARS)).replace("`", "'")
