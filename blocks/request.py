"""The card: a request as Slack shows it, in every state; and the trail in the thread below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

from approvals.masking import shown_args, shown_asked
from approvals.model import Freeze, Kind, Principal, Request
from blocks.action import headline
from blocks.buttons import card_buttons
from blocks.call import Shown, call_text
from blocks.diff import diff_text
from blocks.form import has_fields
from blocks.people import deciders, mention
from blocks.pieces import (
    Block,
    Card,
    Line,
    Strong,
    aside,
    header,
    line_text,
    literal,
    notice,
    quote,
    rich,
    section,
)
from blocks.question import question_text
from blocks.status import BECAUSE_CHARS, Told, mark, story, trail_lines, until
from blocks.text import (
    MESSAGE_CHARS,
    MESSAGE_TEXT_CHARS,
    clip,
    cut,
    escape,
    json_size,
    name,
    one_line,
    reveal,
    size,
    spread,
    units,
)

CARD_CALL_CHARS = 2800  # of the call as JSON; longer ones are read in a dialog
CARD_CALL_LINES = 40
DIALOG_CALL_CHARS = 30_000  # ten pages; longer ones are read in a file
VALUE_HEAD_AND_TAIL_CHARS = 600  # of one value, where the call is too long for the card
TEXT_WORDS_CHARS = (200, 40)
WORDS_CHARS = (700, 300, 80)  # of anyone's words on a card, the most that fits; Details has all
TRAIL_WORDS_CHARS = 140
TRAIL_LINES = 25
TRAIL_SPARE_CHARS = 500  # of JSON, for what is around the lines
TEXT_SPARE_CHARS = 3000  # of JSON: the least that is left for the message's text


class Offer(StrEnum):
    """How a person gets to see the whole call before deciding."""

    WHOLE = "whole"  # it is on the card
    READ = "read"  # a dialog shows it
    FILE = "file"  # a file in the thread holds it


def offer_for(request: Request) -> Offer:
    return _offer(whole_call(request))


def _offer(shown: Shown) -> Offer:
    if _room(shown.text) <= CARD_CALL_CHARS and shown.text.count("\n") < CARD_CALL_LINES:
        return Offer.WHOLE
    return Offer.READ if size(shown.text) <= DIALOG_CALL_CHARS else Offer.FILE


def whole_call(request: Request) -> Shown:
    """All that the agent asks for, as a card, a dialog or a file shows it."""
    return question_text(request) if request.kind is Kind.QUESTION else call_text(shown_args(request))


def call_file(request: Request) -> tuple[str, str]:
    """Name and content of the file for a call that is too long for a dialog: the same text, in full."""
    opening = f"{headline(request)}\n{request.id}\nfingerprint {request.fingerprint}\n\n"
    return f"{label(request)}.txt", f"{opening}{whole_call(request).text}\n"


def label(request: Request) -> str:
    """The id as people see and type it."""
    return request.short or request.id


def card(
    request: Request,
    now: datetime,
    *,
    offer: Offer | None = None,
    called: Iterable[Principal] = (),
    freeze: Freeze | None = None,
) -> Card:
    """Draw `request`. `called` are mentioned while it waits: in a first post, never in an update.

    `freeze`: the one that reaches it while it waits.
    """
    shown = whole_call(request)
    offer = offer or _offer(shown)
    told = story(request, now, freeze)
    mentions = mention(called) if request.is_pending else ""
    is_editable = offer is not Offer.FILE and request.kind is Kind.ACTION and has_fields(request)
    blocks: list[Block] = []
    for words_chars in WORDS_CHARS:
        title = header(mark(request, freeze) + headline(request))
        blocks = [title, *_body(request, shown, offer, told, words_chars)]
        blocks += [_small(f"For {mentions}")] if mentions else []
        blocks.append(card_buttons(request, now, is_whole=offer is Offer.WHOLE, is_editable=is_editable))
        if json_size(blocks) <= MESSAGE_CHARS - TEXT_SPARE_CHARS:
            break
    text = _text(request, shown, told, mentions, json_chars=MESSAGE_CHARS - json_size(blocks))
    return Card(text, blocks)


def _body(
    request: Request, shown: Shown, offer: Offer, told: list[Told], words_chars: int
) -> Iterator[Block]:
    """What waits begins with what is asked; what is over, with how it ended."""
    call = list(_call(request, shown, offer))
    if request.is_pending:
        yield from (about(request), *call, *_agents_words(request, words_chars), _because(request))
        if request.added:
            yield _small(_brought_in(request))
        yield from _told(told, words_chars)
    elif request.kind is Kind.QUESTION:
        yield from (*call, *_told(told, words_chars), about(request))
    else:
        yield from (*_told(told, words_chars), *call, about(request))


def moved(request: Request, channel: str | None) -> Card:
    """What stays where it was shown before it was changed, and so sent to `channel`; None: into DMs."""
    where = "their direct messages" if channel is None else f"<#{channel}>"
    went = f"Changed, and now with {deciders((*request.terms.approvers, *request.added))} in {where}."
    said: Block = {"type": "section", "text": {"type": "mrkdwn", "text": went, "verbatim": True}}
    because = escape(one_line(request.terms.because, BECAUSE_CHARS))
    text = f"{escape(headline(request))}. {went} Asked because: {because}"
    return Card(text, [header(headline(request)), about(request), said, _because(request)])


def about(request: Request) -> Block:
    """Who asks for what, how risky, until when; and the id."""
    return aside(*_about(request))


def _about(request: Request) -> Line:
    asks = "asks" if request.is_pending else "asked"
    what = "" if request.kind is Kind.QUESTION else f" for {one_line(request.tool, 60)}"
    if request.kind is Kind.REVIEW:
        asks, what = "ran", f" {one_line(request.tool, 60)}"
    risk = "" if request.kind is Kind.QUESTION else f" · {request.terms.risk} risk"
    ends: Line = (*until(request), " · ") if request.is_pending else ()
    return (f"{name(request.agent)} {asks}{what}{risk} · ", *ends, label(request))


def _call(request: Request, shown: Shown, offer: Offer) -> Iterator[Block]:
    if request.kind is Kind.QUESTION:
        yield rich(quote(_shortened(shown.text, offer)))
    elif request.asked_args is None:
        yield rich(literal(_shortened_call(request, shown, offer)))
    else:
        yield from _edited_call(request, shown, offer)
    if shown.hidden:
        yield hidden_notice(shown.hidden)
    if request.masks:
        yield masked_notice(len(request.masks))
    if request.is_pending and offer is not Offer.WHOLE:
        where = "in the file in the thread" if offer is Offer.FILE else "one click away"
        yield aside(f"Too long for a card. All of it is {where}; read it to decide.")


def _edited_call(request: Request, shown: Shown, offer: Offer) -> Iterator[Block]:
    asked = shown_asked(request) or {}
    if not request.is_pending:
        changed = diff_text(asked, shown_args(request), VALUE_HEAD_AND_TAIL_CHARS)
        yield rich(literal(spread(changed.text, CARD_CALL_CHARS // 2, CARD_CALL_CHARS // 4)))
        return
    yield rich(literal(_shortened_call(request, shown, offer)))
    changes = diff_text(asked, shown_args(request), VALUE_HEAD_AND_TAIL_CHARS // 4, whole=False)
    if changes.text:
        yield rich(section(_changed_by(request)), literal(spread(changes.text, 500, 200)))


def _changed_by(request: Request) -> Line:
    """Who put another call in the place of what the agent asked for, as far as the trail still tells."""
    at_once = (line for line in request.trail if line.at == request.changed_at)
    who = next((line.by.name for line in at_once if line.word in ("voted", "redirected")), None)
    return ("Changed ", *(("by ", Strong(name(who)), " ") if who else ()), "from what was asked:")


def _shortened_call(request: Request, shown: Shown, offer: Offer) -> str:
    """First the middle of long values goes, so that all the names stay; then the middle of the call."""
    if offer is Offer.WHOLE:
        return shown.text
    return _shortened(call_text(shown_args(request), VALUE_HEAD_AND_TAIL_CHARS).text, offer)


def _shortened(shown: str, offer: Offer) -> str:
    if offer is Offer.WHOLE:
        return shown
    part = CARD_CALL_CHARS
    while _room(short := spread(shown, part // 3, part // 6)) > CARD_CALL_CHARS:
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


def masked_notice(count: int) -> Block:
    what = "1 secret in this call is" if count == 1 else f"{count:,} secrets in this call are"
    return aside(f"{what} shown masked, as ‹secret, …›. What runs is the call as it was sent.")


def _agents_words(request: Request, chars: int) -> Iterator[Block]:
    if request.reason:
        says = section((f"{name(request.agent)} says:",))
        yield rich(says, quote(clip(reveal(request.reason)[0], chars)))


def _because(request: Request) -> Block:
    return aside(f"Asked because: {one_line(request.terms.because, BECAUSE_CHARS) or 'the policy says so'}")


def _told(told: list[Told], chars: int) -> Iterator[Block]:
    if told:
        yield rich(*(element for one in told for element in told_elements(one, chars)))


def told_elements(told: Told, chars: int) -> list[Block]:
    """A sentence, and below it the words that belong to it."""
    if not told.words:
        return [section(told.line)]
    return [section(told.line), quote(clip(reveal(told.words)[0], chars))]


# -- words -------------------------------------------------------------------------------------------


def _small(words: str) -> Block:
    """Words of ours in small print, with mentions in them."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": words, "verbatim": True}]}


def _brought_in(request: Request) -> str:
    return f"Brought in since: {deciders(request.added)}"


# -- the message's text -------------------------------------------------------------------------------


def _text(request: Request, shown: Shown, told: list[Told], mentions: str, *, json_chars: int) -> str:
    """The card for those who hear it or see a notification; what has no room is cut from the call."""
    text = ""
    for words_chars in TEXT_WORDS_CHARS:
        before, after = _text_lines(request, told, mentions, words_chars)
        lines = "\n".join([*before, *after])
        room = min(MESSAGE_TEXT_CHARS - units(lines), json_chars - json_size(lines))
        text = "\n".join([*before, escape(_spoken_call(shown.text, room)), *after])
        if room >= 0:
            break
    return text


def _text_lines(
    request: Request, told: list[Told], mentions: str, words_chars: int
) -> tuple[list[str], list[str]]:
    """What stands before the call, and what after it."""
    sentences = [
        line_text(one.line) + (f" {_said(one.words, words_chars)}" if one.words else "") for one in told
    ]
    what, about_it = f"{escape(headline(request))}.", f"{line_text(_about(request))}."
    if not request.is_pending:
        return [what, *sentences, about_it], []
    says = (
        f"{escape(name(request.agent))} says: {_said(request.reason, words_chars)}" if request.reason else ""
    )
    because = f"Asked because: {escape(one_line(request.terms.because, BECAUSE_CHARS))}"
    added = _brought_in(request) if request.added else ""
    return [what, about_it, *sentences], [one for one in (says, because, added, mentions) if one]


def _said(words: str, chars: int) -> str:
    return f"“{escape(one_line(words, chars))}”"


def _spoken_call(shown: str, room: int) -> str:
    if json_size(escape(shown)) <= room:
        return shown
    return cut(shown, max(room // 2 - 60, 0)) + "… The call is longer; its card shows more."


def _room(shown: str) -> int:
    """What a text takes of a card, by whichever of Slack's measures is larger."""
    return max(json_size(shown), size(shown))


# -- the thread ---------------------------------------------------------------------------------------


def trail(request: Request) -> Card:
    """What happened to it, a line each: the message that opens the thread under its card."""
    lines = trail_lines(request)
    newest: list[Line] = []
    text_room, room = MESSAGE_TEXT_CHARS, MESSAGE_CHARS - TRAIL_SPARE_CHARS
    for one in reversed(lines[-TRAIL_LINES:]):
        line = _trail_line(one)
        text_room -= units(line_text(line)) + 1
        room -= json_size(section(line)) + json_size(line_text(line))
        if min(text_room, room) < 0:
            break
        newest.insert(0, line)
    earlier: list[Line] = [(f"… {len(lines) - len(newest)} earlier",)] if len(lines) > len(newest) else []
    return Card("\n".join(map(line_text, newest)), [rich(section(*earlier, *newest))])


def _trail_line(told: Told) -> Line:
    return told.line if not told.words else (*told.line, f": “{one_line(told.words, TRAIL_WORDS_CHARS)}”")
