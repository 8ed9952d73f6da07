"""Approve similar…, and `/approvals grants` with a Revoke for each."""

from __future__ import annotations

from datetime import timedelta

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.commands import Approve
from approvals.events import Approved
from approvals.grant_book import new_grant_id
from approvals.grants import Grant, may_be_granted
from approvals.model import Person, Request
from blocks import grants as words
from blocks import ids
from blocks.request import Offer, offer_for
from bot.desk import Verdict
from bot.listeners.decisions import on_click, on_submit
from bot.listeners.parts import Errors, Parts
from bot.payloads import Click, Slash, Submitted, Who


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the dialog and the list's buttons. The menu that opens the dialog is the card's."""
    app.view(ids.SIMILAR)(on_submit(parts, _granted))
    app.action(ids.REVOKE)(on_click(parts, _revoke))


async def show(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """Every grant in force that this person could revoke."""
    known, now = await parts.grants.all(), await parts.desk.store.now()
    current = [grant for grant in known.grants if now < grant.until]
    theirs = [grant for grant in current if await _may_revoke(parts, slash.who, grant)]
    listed = words.listed(theirs, await parts.grants.used(), now)
    await ack(text=listed.text, blocks=listed.blocks)


async def _granted(parts: Parts, submitted: Submitted) -> Verdict | Errors:
    """Approve this one by the same checks as a click; only then may others like it go through."""
    seen = ids.unpack(submitted.metadata)
    verdict = await parts.desk.admit(submitted.who, seen, "approve similar")
    if verdict.refusal is not None or verdict.request is None:
        return verdict
    request = verdict.request
    wish = words.read_grant(request, submitted.values)
    if not isinstance(wish, words.Wish):
        return wish
    if not _is_grantable(request):
        return Verdict(request=request, refusal=words.NOT_GRANTABLE)

    span = words.SPANS[str(wish.seconds)]

    def approve(person: Person, _: Request) -> Approve:
        return Approve(by=person, seen=seen.fingerprint, note=f"And calls like it, for {span}.")

    verdict = await parts.desk.decide(submitted.who, seen.request_id, "approve", approve)
    if verdict.refusal is None and isinstance(verdict.event, Approved) and verdict.request is not None:
        await parts.grants.make(_grant(verdict.request, wish, verdict.event), verdict.event.at)
    return verdict


def _grant(request: Request, wish: words.Wish, yes: Approved) -> Grant:
    terms = request.terms
    return Grant(
        id=new_grant_id(),
        agent=request.agent,
        tool=request.tool,
        limits=wish.limits,
        rule=terms.rule,
        approvers=terms.approvers,
        channel=terms.channel,
        risk=terms.risk,
        uses=wish.uses,
        until=yes.at + timedelta(seconds=wish.seconds),
        total_of=wish.total_of,
        total=wish.total,
        by=yes.by,
        at=yes.at,
        request=request.id,
    )


def _is_grantable(request: Request) -> bool:
    """What was not shown whole can't stand for others, nor what was changed by a person."""
    return may_be_granted(request) and offer_for(request) is Offer.WHOLE and request.asked_args is None


async def _revoke(parts: Parts, click: Click) -> None:
    known = (await parts.grants.all()).grants
    grant = next((grant for grant in known if grant.id == click.value), None)
    if grant is None:
        await parts.tell(click, words.revoked(click.value, was_there=False))
    elif not await _may_revoke(parts, click.who, grant):
        await parts.owners.record(click.who, f"revoke {grant.id}", "not one who may")
        await parts.tell(click, words.NOT_YOURS)
    else:
        was_there = await parts.grants.revoke(grant, await parts.owners.actor(click.who))
        await parts.tell(click, words.revoked(grant.id, was_there=was_there))


async def _may_revoke(parts: Parts, who: Who, grant: Grant) -> bool:
    if grant.by.id == f"slack:{who.id}":
        return True
    channel = await parts.channels.known_id(grant.channel)
    principals = (*grant.approvers, *parts.owners.of("policy"))
    return await parts.people.is_one_of(who.id, principals, channel=channel, team=who.team)
