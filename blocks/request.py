"""The card: a request as Slack shows it, in every state; and the trail in the thread below it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

from approvals.model import CHANNEL, Kind, Principal, Request, Risk
from blocks import ids
from blocks.action import headline, tool_words
from blocks.call import Shown, call_text
from blocks.diff import diff_text
from blocks.form import has_fields
from blocks.pieces import (
    Block,
    Card,
    Line,
    actions,
    aside,
    button,
    confirm,
    header,
    line_text,
    literal,
    notice,
    option,
    overflow,
    quote,
    rich,
    section,
)
from blocks.question import choosers, question_text
from blocks.status import BECAUSE_CHARS, Told, mark, story, trail_lines, until
from blocks.text import (
    MESSAGE_CHARS,
    MESSAGE_TEXT_CHARS,
    clip,
    cut,
    escape,
    name,
    one_line,
    reveal,
    size,
    spread,
)

CARD_CALL_CHARS = 2800  # of the call as JSON; longer ones are read in a dialog
CARD_CALL_LINES = 40
DIALOG_CALL_CHARS = 30_000  # ten pages; longer ones are read in a file
VALUE_HEAD_AND_TAIL_CHARS = 600  # of one value, where the call is too long for the card
CARD_WORDS_CHARS = 700  # of anyone's words on a card; Details has all
TRAIL_WORDS_CHARS = 140
TRAIL_LINES = 25
TRAIL_TEXT_CHARS = 3000
TEXT_SPARE_CHARS = 600  # the least that is left for the message's text


class Offer(StrEnum):
    """How a person gets to see the whole call before deciding."""

    WHOLE = "whole"  # it is on the card
    READ = "read"  # a dialog shows it
    FILE = "file"  # a file in the thread holds it


def offer_for(request: Request) -> Offer:
    shown = whole_call(request)
    if _json_size(shown.text) <= CARD_CALL_CHARS and shown.text.count("\n") < CARD_CALL_LINES:
        return Offer.WHOLE
    return Offer.READ if size(shown.text) <= DIALOG_CALL_CHARS else Offer.FILE


def whole_call(request: Request) -> Shown:
    """All that the agent asks for, as a card, a dialog or a file shows it."""
    return question_text(request) if request.kind is Kind.QUESTION else call_text(request.args)


def call_file(request: Request) -> tuple[str, str]:
    """Name and content of the file for a call that is too long for a dialog: the same text, in full."""
    opening = f"{headline(request)}\n{request.id}\nfingerprint {request.fingerprint}\n\n"
    return f"{label(request)}.txt", f"{opening}{whole_call(request).text}\n"


def label(request: Request) -> str:
    """The id as people see and type it."""
    return request.short or request.id


def is_risky(request: Request) -> bool:
    return request.terms.risk.is_at_least(Risk.HIGH)


def is_open(request: Request, now: datetime) -> bool:
    """Whether people may still decide it."""
    return request.is_pending and (request.deadline is None or now < request.deadline)


def card(request: Request, now: datetime, *, offer: Offer | None = None, ping: bool = False) -> Card:
    """Draw `request`. `ping` mentions who must act: for a first post, never for an update."""
    offer = offer or offer_for(request)
    told = story(request, now)
    blocks = [header(mark(request) + headline(request))]
    if request.is_pending:
        blocks += [about(request), *_call(request, offer), *_agents_words(request), _because(request)]
        blocks += _told(told)
    elif request.kind is Kind.QUESTION:
        blocks += [*_call(request, offer), *_told(told), about(request)]
    else:
        blocks += [*_told(told), *_call(request, offer), about(request)]
    mentions = mention(request.terms.approvers) if ping and request.is_pending else ""
    if mentions:
        blocks.append(_for(mentions))
    blocks.append(_buttons(request, offer, now))
    return Card(_text(request, told, mentions, spare=MESSAGE_CHARS - _json_size(blocks)), blocks)


def about(request: Request) -> Block:
    """Who asks for what, how risky, until when; and the id."""
    return aside(*_about(request))


def _about(request: Request) -> Line:
    asks = "asks" if request.is_pending else "asked"
    what = "" if request.kind is Kind.QUESTION else f" for {one_line(request.tool, 60)}"
    risk = "" if request.kind is Kind.QUESTION else f" · {request.terms.risk} risk"
    ends: Line = (*until(request), " · ") if request.is_pending else ()
    return (f"{name(request.agent)} {asks}{what}{risk} · ", *ends, label(request))


def _call(request: Request, offer: Offer) -> Iterator[Block]:
    shown = whole_call(request)
    if request.kind is Kind.QUESTION:
        yield rich(quote(_shortened(shown.text, offer)))
    elif request.asked_args is None:
        yield rich(literal(_shortened_call(request, shown, offer)))
    else:
        yield from _edited_call(request, shown, offer)
    if shown.hidden:
        yield hidden_notice(shown.hidden)
    if request.is_pending and offer is not Offer.WHOLE:
        where = "in the file in the thread" if offer is Offer.FILE else "one click away"
        yield aside(f"Too long for a card. All of it is {where}; read it to decide.")


def _edited_call(request: Request, shown: Shown, offer: Offer) -> Iterator[Block]:
    asked = request.asked_args or {}
    if not request.is_pending:
        changed = diff_text(asked, request.args, VALUE_HEAD_AND_TAIL_CHARS)
        yield rich(literal(spread(changed.text, CARD_CALL_CHARS // 2, CARD_CALL_CHARS // 4)))
        return
    yield rich(literal(_shortened_call(request, shown, offer)))
    changes = diff_text(asked, request.args, VALUE_HEAD_AND_TAIL_CHARS // 4, whole=False)
    if changes.text:
        yield rich(section(("Changed from what was asked:",)), literal(spread(changes.text, 500, 200)))


def _shortened_call(request: Request, shown: Shown, offer: Offer) -> str:
    """First the middle of long values goes, so that all the names stay; then the middle of the call."""
    if offer is Offer.WHOLE:
        return shown.text
    return _shortened(call_text(request.args, VALUE_HEAD_AND_TAIL_CHARS).text, offer)


def _shortened(shown: str, offer: Offer) -> str:
    if offer is Offer.WHOLE:
        return shown
    part = CARD_CALL_CHARS
    while _json_size(short := spread(shown, part // 3, part // 6)) > CARD_CALL_CHARS:
        part = part * 3 // 4
    return _fewer_lines(short)


def _fewer_lines(shown: str) -> str:
    lines = shown.split("\n")
    if len(lines) <= CARD_CALL_LINES:
        return shown
    head, tail = lines[: CARD_CALL_LINES // 2], lines[-CARD_CALL_LINES // 4 :]
    return "\n".join([*head, f"⟨… {len(lines) - len(head) - len(tail):,} more lines …⟩", *tail])


def hidden_notice(count: int) -> Block:
    characters = "1 hidden character" if count == 1 else f"{count:,} hidden characters"
    return notice(f"⚠ Warning: {characters} in this call, shown by code, such as ⟨U+200B⟩.")


def _agents_words(request: Request) -> Iterator[Block]:
    if request.reason:
        yield rich(section((f"{name(request.agent)} says:",)), quote(_brief(request.reason)))


def _because(request: Request) -> Block:
    return aside(f"Asked because: {one_line(request.terms.because, BECAUSE_CHARS) or 'the policy says so'}")


def _told(told: list[Told]) -> Iterator[Block]:
    if told:
        yield rich(*(element for one in told for element in told_elements(one, CARD_WORDS_CHARS)))


def told_elements(told: Told, chars: int) -> list[Block]:
    """A sentence, and below it the words that belong to it."""
    if not told.words:
        return [section(told.line)]
    return [section(told.line), quote(clip(reveal(told.words)[0], chars))]


def _brief(words: str) -> str:
    return clip(reveal(words)[0], CARD_WORDS_CHARS)


# -- buttons ------------------------------------------------------------------------------------------


def _buttons(request: Request, offer: Offer, now: datetime) -> Block:
    value = ids.pack(request)
    block_id = f"card|{request.id}|{request.version}"  # a new one each time: Slack asks for that in updates
    if not is_open(request, now):
        return actions(block_id, button("Details", ids.DETAILS, value))
    if request.sent_back is not None:
        return actions(block_id, reject_button(request), button("Details", ids.DETAILS, value))
    if request.kind is Kind.QUESTION:
        return actions(block_id, *_question_buttons(request, offer), _more(request))
    return actions(block_id, *decision_buttons(request, offer), _more(request))


def decision_buttons(request: Request, offer: Offer) -> list[Block]:
    value = ids.pack(request)
    first = approve_button(request) if offer is Offer.WHOLE else read_button(request)
    edit = [button("Edit…", ids.EDIT, value)] if offer is not Offer.FILE and has_fields(request) else []
    return [first, *edit, reject_button(request)]


def approve_button(request: Request) -> Block:
    what = headline(request)
    asked = None
    if is_risky(request):
        title = f"{tool_words(request.tool)}: {request.terms.risk} risk"
        asked = confirm(
            title, f"Approve this {request.terms.risk}-risk action? {what}", yes="Approve", no="Not yet"
        )
    return button(
        "Approve",
        ids.APPROVE,
        ids.pack(request),
        style="primary",
        confirm=asked,
        described=f"Approve: {what}",
    )


def read_button(request: Request) -> Block:
    return button("Read all", ids.READ_ALL, ids.pack(request), style="primary")


def reject_button(request: Request) -> Block:
    return button("Reject…", ids.REJECT, ids.pack(request), style="danger")


def _question_buttons(request: Request, offer: Offer) -> list[Block]:
    return choosers(request) if offer is Offer.WHOLE else [read_button(request)]


def _more(request: Request) -> Block:
    verbs: list[tuple[str, ids.Verb]] = [("Details", "details")]
    if request.kind is Kind.ACTION:
        verbs += [("Respond…", "respond"), ("Request changes…", "changes")]
    else:
        verbs += [("Request changes…", "changes"), ("Reject…", "reject")]
    return overflow(ids.MORE, (option(words, ids.pack_pick(verb, request)) for words, verb in verbs))


# -- who is called ------------------------------------------------------------------------------------

_PERSON = re.compile(r"[UW][A-Z0-9]{2,20}")
_GROUP = re.compile(r"S[A-Z0-9]{2,20}")
MENTIONS = 20


def mention(principals: Iterable[Principal]) -> str:
    """Whom a first post calls: the people and groups that the terms name, and nobody for a whole channel."""
    called = []
    for principal in principals:
        if _PERSON.fullmatch(principal):
            called.append(f"<@{principal}>")
        elif _GROUP.fullmatch(principal):
            called.append(f"<!subteam^{principal}>")
    return " ".join(called[:MENTIONS])


def deciders(principals: Iterable[Principal]) -> str:
    """Who may decide, in mrkdwn: for private answers and dialogs, where a mention calls nobody."""
    told = [_decider(principal) for principal in principals][:MENTIONS]
    return " or ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told) or "nobody"


def _decider(principal: Principal) -> str:
    if principal == CHANNEL:
        return "the members of its channel"
    return mention([principal]) or escape(name(principal))


def _for(mentions: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": f"For {mentions}", "verbatim": True}]}


# -- the message's text -------------------------------------------------------------------------------


def _text(request: Request, told: list[Told], mentions: str, *, spare: int) -> str:
    """The card for those who hear it or see a notification; what has no room is cut from the call."""
    sentences = [line_text(one.line) + (f" “{_inline(one.words)}”" if one.words else "") for one in told]
    opening = [f"{escape(headline(request))}.", f"{line_text(_about(request))}."]
    says = f"{escape(name(request.agent))} says: “{_inline(request.reason)}”" if request.reason else ""
    because = f"Asked because: {escape(one_line(request.terms.because, BECAUSE_CHARS))}"
    if request.is_pending:
        before, after = [*opening, *sentences], [says, because, mentions]
    else:
        before, after = [*opening[:1], *sentences, opening[1]], []
    room = min(MESSAGE_TEXT_CHARS, max(spare, TEXT_SPARE_CHARS)) - sum(
        len(one) + 1 for one in (*before, *after)
    )
    lines = [*before, escape(_spoken_call(request, room)), *after]
    return "\n".join(line for line in lines if line)


def _inline(words: str) -> str:
    return escape(one_line(words, 200))


def _spoken_call(request: Request, room: int) -> str:
    shown = whole_call(request).text
    if _json_size(escape(shown)) <= room:
        return shown
    return cut(shown, max(room // 2 - 40, 0)) + "… The call is longer; the card shows more."


def _json_size(item: object) -> int:
    """How long something is on its way to Slack."""
    encoded = json.dumps(item, ensure_ascii=False)
    return len(encoded) + sum(character > "\uffff" for character in encoded)


# -- the thread ---------------------------------------------------------------------------------------


def trail(request: Request) -> Card:
    """What happened to it, a line each: the message that opens the thread under its card."""
    lines = trail_lines(request)
    newest = [_trail_line(one) for one in lines[-TRAIL_LINES:]]
    earlier: list[Line] = [(f"… {len(lines) - len(newest)} earlier",)] if len(lines) > len(newest) else []
    told = list(map(line_text, newest))
    while sum(len(one) + 1 for one in told) > TRAIL_TEXT_CHARS:
        del told[0]
    return Card("\n".join(told), [rich(section(*earlier, *newest))])


def _trail_line(told: Told) -> Line:
    return told.line if not told.words else (*told.line, f": “{one_line(told.words, TRAIL_WORDS_CHARS)}”")
