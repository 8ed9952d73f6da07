"""What tools may do at all, as it was set from Slack: it goes before the [stages] of the policy file."""

from __future__ import annotations

from collections.abc import Mapping

from redis.asyncio import Redis

from approvals.model import Actor, RequestId, Via
from approvals.policy import Stage
from approvals.policy.writing import toml_text
from approvals.registers import Note, Register


class Stages:
    """The overlay of a tenant. `known` is what it said when it was last read."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._register = Register(redis, tenant, "stages")
        self.known: Mapping[str, Stage] = {}

    async def refresh(self) -> Mapping[str, Stage]:
        """Read it anew.

        Raises:
            Unavailable: Redis was away.
        """
        held = await self._register.read()
        self.known = {_tool(name): Stage(text) for name, text in held.texts.items()}
        return self.known

    async def set(self, tool: str, stage: Stage, by: Actor, request: RequestId) -> None:
        """From now on `tool` may do this; `request` is the one by which it was approved.

        Raises:
            Unavailable: Redis was away.
        """
        detail = {"tool": tool, "stage": stage.value, "request": str(request)}
        note = Note(event="staged", by=by, via=Via.SERVICE, detail=dict(detail))
        await self._register.put(f"tool {tool}", stage.value, note)  # so that no tool is called `version`


def _tool(name: str) -> str:
    return name.removeprefix("tool ")


def as_toml(stages: Mapping[str, Stage]) -> str:
    """The table for the policy file."""
    lines = [f"{toml_text(tool)} = {toml_text(stage.value)}" for tool, stage in sorted(stages.items())]
    return "\n".join(["[stages]", *lines])
