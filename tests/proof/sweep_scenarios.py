"""What people and agents want of the house, a dozen times, each as sensible ones would do it.

They know nothing of the fault that is to strike. Whoever is not told that something was done tries again; an
agent that can't tell whether it has leave to run does not run.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from approvals.errors import NotApproved, Refusal
from approvals.model import Args
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import Result
from tests.proof.history import Books, Click, History, Rules, Run, Told, Wrong
from tests.proof.sweep_house import Unknown
from tests.proof.sweep_life import Loop

ANA, KIM, LEE, MAX, GUEST = "U0ANA", "U0KIM", "U0LEE", "U0MAX", "U0GUS"
MEMBERS: Final = frozenset({ANA, KIM, LEE, MAX})
CHANNEL: Final = "C0APPROVALS"
TRIES = 4
PLAIN = "[defaults]\nburst = 0\n"
A_DAY_S = 24 * 3600
ASKED, EDITED, REVISED = 940, 90, 95
_CUSTOMER, _AMOUNT = re.compile(r"customer\W+(c_\d+)\s+amount"), re.compile(r"amount\W+(\d+)")


def a_refund(amount: int = ASKED, customer: str = "c_42") -> Args:
    return {"customer": customer, "amount": amount}


class House(Protocol):
    """What is tried: ours, or a twin that does it otherwise. All may raise Unknown, and refuse."""

    slack: Sandbox
    history: History

    async def pump(self) -> None: ...
    async def turn_clock(self, seconds: int) -> None: ...
    async def heal(self) -> None: ...
    async def submit(self, call: str, tool: str, args: Args, **options: Any) -> str: ...
    async def claim(self, request: str) -> Args: ...
    async def report(self, request: str) -> None: ...
    async def revise(self, request: str, args: Args) -> None: ...
    async def cancel(self, request: str) -> None: ...
    async def books(self) -> Books: ...


Fill: TypeAlias = Mapping[str, Any]


@dataclass(slots=True)
class Stage:
    """The actors, who write down what they are told."""

    house: House
    history: History = field(init=False)

    def __post_init__(self) -> None:
        self.history = self.house.history

    async def surely(self, does: Callable[[], Awaitable[None]]) -> bool:
        """Do it until it is known to be done; False: it is refused."""
        for _ in range(TRIES):
            try:
                await does()
            except Unknown:
                continue
            except Refusal:
                return False
            return True
        raise AssertionError("it was tried often enough, and there was one fault only")

    async def ask(self, call: str = "k", *, tool: str = "refund", **options: Any) -> str:
        """Ask under a key, so that to ask again is harmless; returns the request's id."""
        args: Args = options.pop("args", None) or a_refund()

        async def submit() -> None:
            self.history.asked.append((call, await self.house.submit(call, tool, args, **options)))

        await self.surely(submit)
        await self.house.pump()
        return self.history.asked[-1][1]

    def card(self, request: str) -> Message | None:
        """The newest message that shows it."""
        return next((each for each in reversed(self.house.slack.messages()) if _shows(each, request)), None)

    async def shown(self, request: str) -> Message:
        """The same, which must be there once the service has done what it had to."""
        card = self.card(request)
        for _ in range(TRIES):
            if card is not None:
                return card
            await self.house.pump()
            card = self.card(request)
        raise AssertionError("no card was posted, and there was one fault only")

    async def press(
        self,
        person: str,
        verb: str,
        request: str,
        *,
        label: str | None = None,
        fill: Fill | None = None,
        args: Args | None = None,
        on: Message | None = None,
    ) -> Told:
        """Press what decides, and fill in its dialog, until one is told what came of it.

        `on`: the card as they see it, perhaps out of date. `args`: what an edit makes of the call.
        """
        told = Told.UNKNOWN
        for _ in range(TRIES):
            card = on or await self.shown(request)
            if on is None and (label or "Approve") not in card.shown.splitlines():
                return told  # the card says by now what they wanted to say, or that they can't
            told = await self._press_once(person, label or verb.capitalize(), card, fill)
            seen = args or args_on(card)
            click = Click(person=person, verb=verb, request=request, args=seen, told=told)
            self.history.clicks.append(click)
            await self.house.pump()
            is_tried_again = on is None and person in MEMBERS
            if told is Told.RECORDED or (told is Told.REFUSED and not is_tried_again):
                break
        return told

    async def _press_once(self, person: str, label: str, card: Message, fill: Fill | None) -> Told:
        someone = self.house.slack.person(person)
        whispers = len(someone.ephemerals())
        result = await someone.press(label, card)
        if result.ok and fill is not None:
            if someone.view is None:
                return Told.UNKNOWN  # it could not be opened
            result = await someone.fill_and_submit(fill)
            if not result.ok or someone.view is not None:
                await someone.close(clear=True)
                return Told.REFUSED if result.ok or result.errors else Told.UNKNOWN
        if not result.ok:
            return Told.REFUSED if is_no_more(result) else Told.UNKNOWN
        return Told.REFUSED if len(someone.ephemerals()) > whispers else Told.RECORDED

    async def run(self, request: str) -> None:
        """Claim it, run it, report it. What may or may not have been claimed is not run."""
        try:
            args = await self.house.claim(request)
        except Unknown:
            self.history.unsure.add(request)
            return
        except NotApproved:
            return
        self.history.claimed.append(request)
        self.history.runs.append(Run(request=request, args=args))

        async def report() -> None:
            await self.house.report(request)

        if await self.surely(report):
            self.history.reported.append(request)
        await self.house.pump()


def is_no_more(result: Result) -> bool:
    """Slack itself says that the button they pressed is there no longer."""
    return result.error in ("message_not_found", "not_possible")


def _shows(message: Message, request: str) -> bool:
    payload = (message.metadata or {}).get("event_payload") or {}
    return bool(message.blocks) and payload.get("id") == request


def args_on(card: Message) -> Args | None:
    """The call as the card shows it."""
    customer, amount = _CUSTOMER.search(card.shown), _AMOUNT.search(card.shown)
    return a_refund(int(amount[1]), customer[1]) if customer and amount else None


def misdrawn(slack: Sandbox, books: Books) -> list[Wrong]:
    """Cards that tell people otherwise than it is, once all are drawn."""
    found = []
    for kept in books.requests.values():
        cards = [each for each in slack.messages() if _shows(each, kept.id)]
        if cards and ("Approve" in cards[-1].shown.splitlines()) != (kept.status == "pending"):
            found.append(Wrong("violations", f"{kept.id} is {kept.status}, and its card tells otherwise"))
    return found


Play: TypeAlias = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str
    play: Play
    rules: Rules
    policy: str = PLAIN
    cards: int = 1  # messages in the channel, where all goes well
    has_approve: bool = True  # on its card, for as long as it waits
    loops: tuple[Loop, ...] = ()  # of the service, besides those for letters and for cards


async def approve(stage: Stage) -> None:
    """Who may not tries first; then it is approved, and two processes of the agent want to run it."""
    request = await stage.ask()
    await stage.press(GUEST, "approve", request)
    await stage.press(ANA, "approve", request)
    await stage.press(KIM, "reject", request, label="Reject…", fill={"words": "No."})
    await stage.run(request)
    await stage.run(request)


async def reject(stage: Stage) -> None:
    request = await stage.ask()
    await stage.press(ANA, "reject", request, label="Reject…", fill={"words": "No."})
    await stage.run(request)


async def edit(stage: Stage) -> None:
    """It runs with what a person made of it."""
    request = await stage.ask()
    await stage.press(
        ANA, "edit", request, label="Edit…", fill={"amount": str(EDITED)}, args=a_refund(EDITED)
    )
    await stage.run(request)


async def quorum(stage: Stage) -> None:
    """Two are needed; one who clicks twice is one."""
    request = await stage.ask()
    card = await stage.shown(request)
    await stage.press(ANA, "approve", request)
    await stage.press(ANA, "approve", request, on=card)
    await stage.press(GUEST, "approve", request, on=card)
    await stage.run(request)
    await stage.press(KIM, "approve", request)
    await stage.run(request)


async def expiry(stage: Stage) -> None:
    """Nobody answers in time; who clicks on the old card later is told."""
    request = await stage.ask()
    card = await stage.shown(request)
    await stage.house.turn_clock(30 * A_DAY_S)
    await stage.press(ANA, "approve", request, on=card)
    await stage.run(request)


async def cancel(stage: Stage) -> None:
    """The agent takes it back while it waits."""
    request = await stage.ask()
    card = await stage.shown(request)

    async def withdraw() -> None:
        await stage.house.cancel(request)

    await stage.surely(withdraw)
    await stage.house.pump()
    await stage.press(ANA, "approve", request, on=card)
    await stage.run(request)


async def revise(stage: Stage) -> None:
    """The call changes under the card: the old card's button decides nothing."""
    request = await stage.ask()
    old = await stage.shown(request)

    async def change() -> None:
        await stage.house.revise(request, a_refund(REVISED))

    await stage.surely(change)
    await stage.house.pump()
    await stage.press(ANA, "approve", request, on=old)
    await stage.press(KIM, "approve", request)
    await stage.run(request)


async def take_back(stage: Stage) -> None:
    """An approval regretted before it is used is none."""
    request = await stage.ask()
    await stage.press(ANA, "approve", request)
    await stage.press(ANA, "take back", request, label="Take back")
    await stage.run(request)


async def lapse(stage: Stage) -> None:
    """An approval that nobody used in time is none any more."""
    request = await stage.ask()
    await stage.press(ANA, "approve", request)
    await stage.house.turn_clock(30 * A_DAY_S)
    await stage.house.pump()
    await stage.run(request)


def _rules(*ends: str, quorum: int = 1) -> Rules:
    return Rules(voters=MEMBERS, quorum=quorum, ends=frozenset(ends) or Rules(voters=MEMBERS).ends)


SCENARIOS: Final = (
    Scenario(name="approve", play=approve, rules=_rules()),
    Scenario(name="reject", play=reject, rules=_rules("rejected")),
    Scenario(name="edit", play=edit, rules=_rules()),
    Scenario(
        name="quorum", play=quorum, rules=_rules(quorum=2), policy="[defaults]\nburst = 0\nquorum = 2\n"
    ),
    Scenario(name="expiry", play=expiry, rules=_rules("expired"), loops=("deadlines",)),
    Scenario(name="cancel", play=cancel, rules=_rules("cancelled")),
    Scenario(name="revise", play=revise, rules=_rules()),
    Scenario(name="take back", play=take_back, rules=_rules("withdrawn")),
    Scenario(name="lapse", play=lapse, rules=_rules("lapsed"), loops=("deadlines",)),
)
