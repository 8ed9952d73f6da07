"""The rest of the scenarios: those that only a house like ours can play."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final, cast

from approvals.model import QUESTION_TOOL, Kind
from approvals.submitting import question_args, submission
from bot.sandbox.model import Message
from tests.proof.history import Click, Rules, Told
from tests.proof.sweep_house import OurHouse
from tests.proof.sweep_scenarios import (
    ANA,
    KIM,
    LEE,
    MEMBERS,
    PLAIN,
    TRIES,
    Scenario,
    Stage,
    a_refund,
    args_on,
)
from tests.receiver import receiving
from tests.stories.digests import the_button

ROWS = 2
DIGEST = (
    f'{PLAIN}\n[[rule]]\nname = "refunds"\ntools = ["refund"]\ndigest = "refunds"\n'
    f"\n[digests.refunds]\nwhen = {ROWS}\n"
)
FREEZING = '[defaults]\nburst = 0\n\n[owners]\nfreeze = ["U0LEE"]\n'


def _house(stage: Stage) -> OurHouse:
    return cast(OurHouse, stage.house)


async def two_at_once(stage: Stage) -> None:
    """One approves while the other rejects: whoever comes second is told so."""
    request = await stage.ask()
    card = await stage.shown(request)
    slack, history = stage.house.slack, stage.history

    async def press(person: str, verb: str) -> None:
        someone = slack.person(person)
        whispers = len(someone.ephemerals())
        pressed = await someone.press("Approve", card)
        told = Told.RECORDED if pressed.ok else Told.UNKNOWN
        told = Told.REFUSED if len(someone.ephemerals()) > whispers else told
        history.clicks.append(Click(person=person, verb=verb, request=request, args=args_on(card), told=told))

    async with asyncio.TaskGroup() as people:
        people.create_task(press(ANA, "approve"))
        people.create_task(press(KIM, "approve"))
    await stage.house.pump()
    await stage.press(LEE, "approve", request)
    await stage.run(request)


async def digest(stage: Stage) -> None:
    """Several in one message, and one click that approves them all."""
    asked = [await stage.ask(f"k{n}", args=a_refund(10 + n, f"c_{n}")) for n in range(ROWS)]
    ana, told = stage.house.slack.person(ANA), Told.UNKNOWN
    for _ in range(TRIES):
        await stage.house.pump()
        message = _digest(stage)
        if message is None or not _has(message, "Approve the"):
            continue
        whispers = len(ana.ephemerals())
        pressed = await ana.press(the_button(message, "Approve the"), message)
        told = Told.RECORDED if pressed.ok and len(ana.ephemerals()) == whispers else Told.UNKNOWN
        for n, request in enumerate(asked):
            args = a_refund(10 + n, f"c_{n}")
            stage.history.clicks.append(
                Click(person=ANA, verb="approve", request=request, args=args, told=told)
            )
        if told is Told.RECORDED:
            break
    await (
        stage.house.heal()
    )  # its agent waits for as long as it takes: rows that failed are taken up again later
    for request in asked:
        await stage.run(request)


def _digest(stage: Stage) -> Message | None:
    return next((each for each in reversed(stage.house.slack.messages()) if each.blocks), None)


def _has(message: Message, words: str) -> bool:
    return any(line.startswith(words) for line in message.shown.splitlines())


async def freeze(stage: Stage) -> None:
    """Approved, and frozen before it is used: it does not run until it is thawed."""
    request = await stage.ask()
    await stage.press(ANA, "approve", request)
    await _brake(stage, "freeze agent billing it refunds twice", has=True)
    await stage.run(request)
    if stage.history.runs:
        stage.history.bugs.append(f"{request} ran while its agent was frozen")
    await _brake(stage, "thaw agent billing", has=False)
    await stage.house.pump()
    await stage.run(request)


async def _brake(stage: Stage, command: str, *, has: bool) -> None:
    """Type it until it is so; that it is so is looked up, since the words of the answer are for people."""
    for _ in range(TRIES):
        await stage.house.slack.person(LEE).slash("/approvals", command)
        await stage.house.pump()
        if await _house(stage).is_frozen() is has:
            return


async def question(stage: Stage) -> None:
    """A question, answered by a button."""
    args = question_args("Which region?", ["eu", "us"], None, None, many=False)
    one = submission(QUESTION_TOOL, args, kind=Kind.QUESTION)

    async def ask() -> None:
        await _house(stage).agent(lambda agent: agent.submit_all([one]))
        stage.history.asked.append(("q", one.id))

    await stage.surely(ask)
    await stage.press(KIM, "answer", one.id, label="eu")
    outcome = await _house(stage).surely_told(one.id)
    if outcome is not None and outcome.text not in (None, "eu"):
        stage.history.bugs.append(f"the agent was told {outcome.text}, and the answer was eu")


async def callback(stage: Stage) -> None:
    """Its agent is not running, and is called, at least once, when somebody approves."""
    async with receiving() as receiver:
        await _house(stage).allow_callbacks(receiver.url)
        request = await stage.ask(callback_url=f"{receiver.url}/countersign")
        await stage.press(ANA, "approve", request)
        await stage.house.heal()
        if not receiver.calls:
            stage.history.bugs.append(f"the agent of {request} was never called back")
        await stage.run(request)


def _rules(*ends: str) -> Rules:
    rules = Rules(voters=MEMBERS)
    return replace(rules, ends=frozenset(ends)) if ends else rules


MORE: Final = (
    Scenario(name="two at once", play=two_at_once, rules=_rules()),
    Scenario(
        name="digest",
        play=digest,
        rules=_rules(),
        policy=DIGEST,
        loops=("digests", "bulk"),
    ),
    Scenario(name="freeze", play=freeze, rules=_rules(), policy=FREEZING, loops=("freezing",)),
    Scenario(name="question", play=question, rules=_rules("answered"), has_approve=False),
    Scenario(name="callback", play=callback, rules=_rules(), loops=("webhooks",)),
)
