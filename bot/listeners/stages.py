"""`/approvals stage TOOL autonomous|approval|disabled`: what a tool may do at all, once its owners agree."""

from __future__ import annotations

from slack_bolt.async_app import AsyncAck

from approvals.policy import Stage
from blocks import stages as words
from bot.levers import staging
from bot.listeners.parts import Parts
from bot.payloads import Slash

TOOL_CHARS = 200


async def stage(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """Propose it, or list how tools stand."""
    policy = parts.owners.policy
    stages = {**policy.stages, **await parts.stages.refresh()}
    match slash.words[1:]:
        case [tool, wanted] if wanted.lower() in list(Stage) and len(tool) <= TOOL_CHARS:
            await _propose(parts, ack, slash, tool, Stage(wanted.lower()), stages.get(tool))
        case _:
            await ack(text=words.listed(stages, parts.commands))


async def _propose(
    parts: Parts, ack: AsyncAck, slash: Slash, tool: str, wanted: Stage, before: Stage | None
) -> None:
    policy, who = parts.owners.policy, slash.who.id
    if not await parts.people.is_ours(who):
        await parts.owners.record(slash.who, f"stage {tool} {wanted}", "not a member of the workspace")
        await ack(text=words.usage(parts.commands))
    elif before is wanted:
        await ack(text=words.as_it_is(tool, wanted))
    elif not policy.owners.policy:
        await ack(text=words.NO_OWNERS)
    else:
        told = before.value if before is not None else "as the rules say"
        request = await staging.propose(
            parts.desk.store, policy, who, tool, wanted, told, channel=parts.channel
        )
        await ack(text=words.asked(request, tool, wanted))
