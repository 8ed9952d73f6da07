"""`/approvals suggest`, and the buttons of a proposed rule, wherever it is shown."""

from __future__ import annotations

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.trust import Proposal
from blocks import ids
from blocks import proposals as words
from bot.listeners.decisions import on_click
from bot.listeners.parts import Parts
from bot.payloads import Click, Slash, Who


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the three buttons."""
    app.action(ids.SEE_RULE)(on_click(parts, _see))
    app.action(ids.PROPOSE_RULE)(on_click(parts, _propose))
    app.action(ids.NOT_NOW)(on_click(parts, _not_now))


async def suggest(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """List what this person may hear of: the calls that it is learnt from are not for everybody."""
    found = await parts.proposing.proposals()
    theirs = [each for each in found if await _may_hear(parts, slash.who, each)]
    listed = words.listed(theirs, parts.commands)
    await ack(text=listed.text, blocks=listed.blocks)


async def _see(parts: Parts, click: Click) -> None:
    if proposal := await _named(parts, click, "see a proposed rule"):
        await parts.open(click, words.rule_view(proposal), on_top=click.is_in_dialog)


async def _propose(parts: Parts, click: Click) -> None:
    proposal = await _named(parts, click, "propose a rule")
    if proposal is None:
        return
    if not parts.owners.of("policy"):
        await parts.tell(click, words.NO_OWNERS)
        return
    by = await parts.owners.actor(click.who)
    request = await parts.proposing.ask_owners(
        proposal, by, click.who.id, f"{words.evidence(proposal)} {words.NOT_BY_ITSELF}"
    )
    await parts.tell(click, words.asked(request, proposal))


async def _not_now(parts: Parts, click: Click) -> None:
    if proposal := await _named(parts, click, "put off a proposed rule"):
        await parts.proposing.book.hear(proposal, "dismissed", await parts.owners.actor(click.who))
        await parts.tell(click, words.NOT_NOW)


async def _named(parts: Parts, click: Click, attempted: str) -> Proposal | None:
    """The proposal of a button, found anew; None: the person has been told why not."""
    proposal = await parts.proposing.one(click.value)
    if proposal is None:
        await parts.tell(click, words.GONE)
    elif not await _may_hear(parts, click.who, proposal):
        await parts.owners.record(click.who, attempted, "neither decides such calls nor owns the policy")
        await parts.tell(click, words.NOT_YOURS)
        return None
    return proposal


async def _may_hear(parts: Parts, who: Who, proposal: Proposal) -> bool:
    channel = await parts.channels.known_id(proposal.channel)
    principals = (*proposal.approvers, *parts.owners.of("policy"))
    return await parts.people.is_one_of(who.id, principals, channel=channel, team=who.team)
