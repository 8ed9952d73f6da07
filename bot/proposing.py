"""Proposing rules: what people keep approving is held against the policy and the log, and shown to people."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from approvals.audit import Entry
from approvals.model import Action, Actor, Args, PersonId, Request, RequestId, Risk, Terms
from approvals.policy import DEFAULT, Policy, PolicyFaults, Rule, Stage, parse, terms_for
from approvals.policy.deciding import Verdict, look
from approvals.policy.rules import DEFAULTS
from approvals.policy.tables import find_lines
from approvals.proposal_book import ProposalBook
from approvals.stages import Stages
from approvals.store import Store
from approvals.trust import LEAST, Candidate, Proposal, candidates, rule_toml
from blocks.text import one_line
from bot.backtest import Case, History, backtest
from bot.levers import staging
from bot.policy_file import PolicyFile

WINDOW = timedelta(days=30)
MOST_ENTRIES = 10_000  # of the log, the newest: what can be read while somebody waits for the answer
CONTEXT_LINES = 2
EMPTY_FILE = "version = 1\n"
NAME_CHARS, PLACE_CHARS = 100, 200
ADOPT_RULE = "adopt_rule"
RULE = "proposals"  # what the terms of such a request name as theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What proposals are held against."""

    text: str | None  # of the policy file; None: there is none
    file: str
    stages: Mapping[str, Stage]
    channel: str
    environment: str
    since: datetime
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposing:
    """Finds them, and takes one to the policy's owners."""

    store: Store
    book: ProposalBook
    policy_file: PolicyFile
    stages: Stages
    channel: str  # where requests go when the policy names none
    environment: str
    least: int = LEAST

    async def proposals(self) -> tuple[Proposal, ...]:
        """All that can be proposed now, but what was answered not long ago.

        Raises:
            Unavailable: Redis was away.
        """
        now = await self.store.now()
        first = max(1, await self.store.last_seq() - MOST_ENTRIES + 1)
        entries = [entry async for entry in self.store.log(first) if entry.at >= now - WINDOW]
        known, stages = await self.book.all(), await self.stages.refresh()
        path = self.policy_file.path
        ground = Ground(
            text=self.policy_file.text,
            file=path.name if path else "policy.toml",
            stages=dict(stages),
            channel=self.channel,
            environment=self.environment,
            since=entries[0].at if first > 1 and entries else now - WINDOW,
            now=now,
        )
        found = await asyncio.to_thread(found_in, entries, ground, least=self.least)
        return tuple(
            each
            for each in found
            if (heard := known.heard.get(each.id)) is None or not heard.silences(each, now)
        )

    async def one(self, proposal_id: str) -> Proposal | None:
        """The one with this id, if it still holds and was not answered meanwhile."""
        return next((each for each in await self.proposals() if each.id == proposal_id), None)

    async def ask_owners(self, proposal: Proposal, by: Actor, person: PersonId, evidence: str) -> Request:
        """Ask the policy's owners whether the rule should go into the file. Whoever asks does not count."""
        args: Args = {"name": proposal.name, "rule": proposal.rule.strip(), "place": proposal.place}
        request = await staging.ask_owners(
            self.store,
            self.policy_file.current,
            person,
            ADOPT_RULE,
            args,
            rule=RULE,
            because="what goes into the policy file is for the policy's owners to say",
            risk=Risk.HIGH,
            channel=self.channel,
            reason=evidence,
        )
        await self.book.hear(proposal, "proposed", by)
        return request


def found_in(entries: Sequence[Entry], ground: Ground, *, least: int = LEAST) -> tuple[Proposal, ...]:
    """What the log gives reason to propose, held against the policy in force. Pure."""
    policy = DEFAULT if ground.text is None else parse(ground.text)
    history = History(ground.since, environment=ground.environment)
    for entry in entries:
        history.add(entry)
    cases = list(history.cases(ground.now))
    kinds = (each for each in candidates(entries, least=least) if each.agent != staging.SELF)
    found = (_proposal(candidate, policy, cases, ground) for candidate in kinds)
    return tuple(each for each in found if each)


def _proposal(candidate: Candidate, policy: Policy, cases: Sequence[Case], ground: Ground) -> Proposal | None:
    theirs = [
        case for case in cases if (case.facts.agent, case.facts.tool) == (candidate.agent, candidate.tool)
    ]
    requests = set(candidate.requests)
    learnt = [case for case in theirs if case.id in requests]
    terms = _terms_now(candidate, policy, learnt, ground)
    nth = _asking(candidate, policy)
    if terms is None or nth is None:
        return None
    asking = policy.rules[nth] if nth < len(policy.rules) else None
    name = _free_name(candidate.name, policy)
    rule = rule_toml(candidate, name=name, within=asking.when.text if asking and asking.when else None)
    before = ground.text if ground.text is not None else EMPTY_FILE
    above = nth if asking else None
    saved = _saved(inserted(before, rule, above), name, theirs, ground)
    if not saved:
        return None
    return Proposal(
        candidate=candidate,
        name=name,
        rule=rule,
        place=place_of(asking, is_file=ground.text is not None),
        diff=None if ground.text is None else _diff(before, rule, above, ground.file),
        saved=saved,
        days=max(round((ground.now - ground.since) / timedelta(days=1)), 1),
        channel=terms.channel,
        approvers=terms.approvers,
    )


def _terms_now(candidate: Candidate, policy: Policy, learnt: Sequence[Case], ground: Ground) -> Terms | None:
    """How such calls are asked for now; None: other than they were, or by more than one yes."""
    terms: Terms | None = None
    for case in learnt:
        terms = terms_for(policy, case.facts, channel=ground.channel, stages=ground.stages)
        is_same = terms.action is Action.ASK and terms.rule == candidate.rule
        if not is_same or terms.quorum > 1 or terms.groups or terms.risk.is_at_least(Risk.HIGH):
            return None
    return terms


def _asking(candidate: Candidate, policy: Policy) -> int | None:
    """Which rule asks, by number; past the last one: the defaults. None: none does."""
    if candidate.rule == DEFAULTS:
        return len(policy.rules)
    return next((nth for nth, rule in enumerate(policy.rules) if rule.name == candidate.rule), None)


def _fits(rule: Rule, policy: Policy, case: Case) -> bool:
    return look(rule, case.facts, policy.view(case.facts))[0] is Verdict.FITS


def _saved(text: str, name: str, cases: Sequence[Case], ground: Ground) -> int:
    """How many asks this rule would have spared; 0 also where it isn't sound, or lets wrong ones through."""
    try:
        policy = parse(text)
    except PolicyFaults:
        return 0
    rule = next((rule for rule in policy.rules if rule.name == name), None)
    # Whatever is left of its budget: on another day it would have been enough.
    if rule is None or any(_was_wrong(case) and _fits(rule, policy, case) for case in cases):
        return 0
    replay = backtest(
        policy, cases, since=ground.since, until=ground.now, channel=ground.channel, stages=ground.stages
    )
    return sum(
        each.rule == name and each.would is Action.ALLOW and each.case.was is Action.ASK
        for each in replay.calls
    )


def _was_wrong(case: Case) -> bool:
    return case.is_rejected or case.ended in ("edited", "answered")


def _free_name(name: str, policy: Policy) -> str:
    taken = {rule.name for rule in policy.rules}
    numbered = (name if n == 1 else f"{name} {n}" for n in range(1, len(taken) + 2))
    return next(each for each in numbered if each not in taken)


# -- in the file --------------------------------------------------------------------------------------


def place_of(asking: Rule | None, *, is_file: bool = True) -> str:
    """Where a rule goes that spares asks of `asking`: the first rule that fits decides."""
    if not is_file:
        return "into a policy file of your own, below the line version = 1"
    return f"right before rule “{asking.name}”" if asking else "at the end of the file, after the other rules"


def inserted(text: str, rule: str, nth: int | None) -> str:
    """The file with `rule` before its rule number `nth` and the comment above that; else at its end."""
    lines, at, added = _insertion(text, rule, nth)
    return "\n".join([*lines[:at], *added, *lines[at:], ""])


def _diff(text: str, rule: str, nth: int | None, file: str) -> str:
    """The same as a diff: one hunk, which begins where the rule does; difflib splits it as it likes."""
    lines, at, added = _insertion(text, rule, nth)
    above, below = lines[max(at - CONTEXT_LINES, 0) : at], lines[at : at + CONTEXT_LINES]
    first, shown = at - len(above) + 1, len(above) + len(below)
    head = [f"--- {file}", f"+++ {file}", f"@@ -{first},{shown} +{first},{shown + len(added)} @@"]
    marked = [
        *(f" {line}" for line in above),
        *(f"+{line}" for line in added),
        *(f" {line}" for line in below),
    ]
    return "\n".join([*head, *marked])


def _insertion(text: str, rule: str, nth: int | None) -> tuple[list[str], int, list[str]]:
    """The lines of the file, before which of them the rule goes, and its own."""
    lines, added = text.splitlines(), rule.splitlines()
    header = None if nth is None else find_lines(text).get(("rule", nth, ""))
    if header is None:
        return lines, len(lines), ["", *added]
    at = header - 1
    while at > 0 and lines[at - 1].lstrip().startswith("#"):
        at -= 1
    return lines, at, [*added, ""]


# -- accepted -----------------------------------------------------------------------------------------


def adopting(
    book: ProposalBook, policy_file: PolicyFile, tell: Callable[[str], Awaitable[None]]
) -> staging.Deed:
    """What is done when the owners have approved a rule: it is kept and told. The file stays the truth."""

    async def adopt(args: Args, by: Actor, request: RequestId) -> staging.Done:
        rule, place = args.get("rule"), args.get("place")
        if not isinstance(rule, str) or not isinstance(place, str):
            return staging.Done(ok=False, told="an edit had left no rule, or no place for it")
        name = await asyncio.to_thread(_name_of, rule, place, policy_file)
        if name is None:
            told = "it is no sound rule together with the policy file of now, so nothing was accepted"
            return staging.Done(ok=False, told=told)
        await book.accept(name, rule, place, by, request)
        told = f"accepted, but not in force: paste it into the policy file, {place}"
        await tell(
            f"The policy's owners accepted the rule “{one_line(name, NAME_CHARS)}”. It is not in force: "
            f"paste it into the policy file, {one_line(place, PLACE_CHARS)}. "
            "`countersign policy accepted` prints it."
        )
        return staging.Done(ok=True, told=told)

    return adopt


def _name_of(rule: str, place: str, policy_file: PolicyFile) -> str | None:
    """What the one rule in this text is called, if the file may hold it there."""
    text = EMPTY_FILE if policy_file.text is None else policy_file.text
    try:
        written = tomllib.loads(rule)
        policy = parse(text)
        nth = next((n for n, other in enumerate(policy.rules) if place_of(other) == place), None)
        with_it = parse(inserted(text, rule, nth))
    except (PolicyFaults, ValueError, RecursionError):
        return None
    if set(written) != {"rule"} or len(with_it.rules) != len(policy.rules) + 1:
        return None
    return str(written["rule"][0]["name"])
