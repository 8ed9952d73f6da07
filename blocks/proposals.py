"""Proposed rules in Slack: in the daily thread, in the list of `/approvals suggest`, and in full."""

from __future__ import annotations

from collections.abc import Sequence

from approvals.model import Request
from approvals.trust import Proposal
from blocks import ids
from blocks.pieces import Block, Card, View, actions, aside, button, dialog, header, literals, notice
from blocks.replies import Commands
from blocks.request import label
from blocks.text import escape, name, one_line, reveal

TOOL_CHARS, NAME_CHARS, PLACE_CHARS = 60, 100, 200
OPEN_TOLD = 5  # arguments that a sentence names
LISTED = 5
NOT_BY_ITSELF = (
    "Accepting it changes nothing by itself: "
    "the policy file stays the truth, and the rule is for pasting into it."
)
GONE = "This suggestion was answered already, or holds no longer. `/approvals suggest` lists those that do."
NOT_NOW = "It is not suggested again for 30 days, unless its numbers double."
NOT_YOURS = "That is for those who decide such calls now, and for the policy's owners."
NO_OWNERS = (
    "Nobody could accept that: the policy names nobody who owns it. Write into the policy file, with "
    'their Slack member ids:\n```[owners]\npolicy = ["U0123456789"]```\nThen propose it again. '
    "The rule can also be pasted right away: *See the rule* shows it."
)


def summary(proposal: Proposal) -> str:
    """What people did, and what could be; plain."""
    candidate = proposal.candidate
    called = f"{len(candidate.requests)} calls of {one_line(candidate.tool, TOOL_CHARS)} by {candidate.agent}"
    return f"{called} were approved as they were, and none was rejected: allow such calls by rule?"


def evidence(proposal: Proposal) -> str:
    """What the rule would have done, and what it leaves open; plain."""
    asks = "1 ask" if proposal.saved == 1 else f"{proposal.saved:,} asks"
    days = "the last day" if proposal.days == 1 else f"the last {proposal.days} days"
    saved = f"It would have saved {asks} in {days}, and let nothing through that was rejected or edited."
    return " ".join([saved, *_open(proposal)])


def _open(proposal: Proposal) -> list[str]:
    names = [f"any “{one_line(arg, TOOL_CHARS)}”" for arg in proposal.candidate.open]
    if not names:
        return []
    more = [f"{len(names) - OPEN_TOLD} more"] if len(names) > OPEN_TOLD else []
    return [f"It takes {', '.join([*names[:OPEN_TOLD], *more])}."]


def proposal_blocks(proposal: Proposal) -> list[Block]:
    """One proposal, with what can be done about it."""
    rule = one_line(proposal.name, NAME_CHARS)
    return [
        notice(summary(proposal)),
        aside(evidence(proposal)),
        actions(
            f"proposal:{proposal.id}",
            button("See the rule", ids.SEE_RULE, proposal.id, described=f"See the rule {rule}"),
            button("Propose it to the owners", ids.PROPOSE_RULE, proposal.id, described=f"Propose {rule}"),
            button("Not now", ids.NOT_NOW, proposal.id, described=f"Not now: {rule}"),
        ),
    ]


def listed(proposals: Sequence[Proposal], commands: Commands) -> Card:
    """The answer to `/approvals suggest`."""
    if not proposals:
        nothing = (
            "There is no rule to suggest: that takes calls that were approved unchanged many times running."
        )
        return Card(nothing, [notice(nothing)])
    count = len(proposals)
    title = "1 rule could spare people's time" if count == 1 else f"{count} rules could spare people's time"
    blocks, text = [header(title)], [f"{title}:"]
    for proposal in proposals[:LISTED]:
        blocks += proposal_blocks(proposal)
        text.append(escape(f"{summary(proposal)} {evidence(proposal)}"))
    if count > LISTED:
        more = (
            f"… and {count - LISTED} more. /{commands.approvals} suggest lists them when these are answered."
        )
        blocks, text = [*blocks, aside(more)], [*text, more]
    return Card("\n".join(text), blocks)


def rule_view(proposal: Proposal) -> View:
    """All of the rule, where it would go, and what speaks for it."""
    blocks = [notice(summary(proposal)), aside(evidence(proposal)), *literals(_shown(proposal.rule))]
    place = one_line(proposal.place, PLACE_CHARS)
    if proposal.diff is None:
        blocks.append(notice(f"There is no policy file yet. The rule goes {place}."))
    else:
        blocks += [notice(f"In the policy file it goes {place}:"), *literals(_shown(proposal.diff))]
    return dialog(ids.SEE_RULE, "A rule to consider", [*blocks, aside(NOT_BY_ITSELF)], metadata="rule")


def _shown(text: str) -> str:
    return reveal(text)[0]


def asked(request: Request, proposal: Proposal) -> str:
    """To whoever proposed it."""
    rule = escape(name(proposal.name))
    asks = (
        f"{escape(label(request))} asks the policy's owners whether “{rule}” should go into the policy file."
    )
    return f"{asks} {NOT_BY_ITSELF}"
