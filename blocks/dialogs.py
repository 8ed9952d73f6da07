"""The dialogs of a request but for the edit form: read all, details, and those that ask for words.

Each packs which call it showed into its private_metadata, as a button does into its value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from approvals.durations import tell_duration
from approvals.masking import shown_args, shown_asked
from approvals.model import Action, Freeze, Kind, OnDeadline, PersonId, Principal, Request
from blocks import ids
from blocks.action import headline
from blocks.answers import answer_fields, read_fields
from blocks.buttons import approve_button, is_open, is_risky, reject_button
from blocks.diff import diff_text
from blocks.form import Values
from blocks.people import deciders
from blocks.pieces import (
    Block,
    Line,
    Moment,
    Part,
    View,
    actions,
    asked,
    button,
    dialog,
    header,
    literals,
    notice,
    rich,
    section,
    select,
    words_over,
    writing,
)
from blocks.question import answer_at, menu, question_of
from blocks.request import (
    Offer,
    about,
    hidden_notice,
    label,
    masked_notice,
    offer_for,
    told_elements,
    whole_call,
)
from blocks.reviews import review_blocks
from blocks.status import story, trail_lines
from blocks.text import INPUT_CHARS, clip, name, one_line, reveal, spread

WORDS_CHARS = 16_500  # of anyone's words in a dialog: all that an agent may say
HEAD_AND_TAIL_CHARS = 4000  # of a call that only a file holds
FACT_CHARS = 400
CHANGE_CHARS = 1000  # of each side of one change
TRAIL_WORDS_CHARS = 1000
TRAIL_LINES = 50
RADIOS = 5  # more options than these are a menu


def read_view(request: Request, now: datetime, *, file_url: str | None = None, is_own: bool = False) -> View:
    """The whole call; submitting approves or answers. `file_url` leads to a call that is too long for it.

    With `is_own` it is asked on behalf of whoever reads it, who must then say why they approve it.
    """
    is_all_there = offer_for(request) is not Offer.FILE or file_url is not None
    can_approve = is_open(request, now) and request.sent_back is None and is_all_there
    if can_approve and request.kind is Kind.QUESTION:
        return answer_view(request, file_url=file_url)
    blocks = [
        header(headline(request)),
        about(request),
        *call_blocks(request, file_url),
        *reason_blocks(request),
    ]
    if can_approve and is_risky(request):
        risk = f"This is {request.terms.risk} risk. Approve it only if every line above is what you want."
        blocks.append(notice(f"⚠ {risk}"))
    if not can_approve:
        return dialog(ids.READ, "The whole call", blocks, metadata=ids.pack(request))
    blocks.append(note_field(request, is_own=is_own))
    return dialog(ids.READ, "The whole call", blocks, metadata=ids.pack(request), submit="Approve")


def reject_view(request: Request) -> View:
    """Ask why not. The words are optional."""
    hint = f"{name(request.agent)} gets these words, and can act on them."
    field = asked(ids.WORDS, "Why not?", writing(lines=True), hint=hint, optional=True)
    return _words_view(ids.REJECT, "Reject", request, field, submit="Reject")


def respond_view(request: Request) -> View:
    """Ask for the answer that the agent gets in place of a result; the tool does not run."""
    hint = f"{one_line(request.tool, 60)} won't run. {name(request.agent)} gets these words as its answer."
    field = asked(ids.WORDS, "Your answer", writing(lines=True), hint=hint)
    return _words_view(ids.RESPOND, "Respond", request, field, submit="Respond")


def changes_view(request: Request) -> View:
    """Ask what should change, or what a question leaves open; the request stays open, with its agent."""
    if request.kind is Kind.QUESTION:
        hint = f"{name(request.agent)} gets these words. The question comes back here with its reply."
        field = asked(ids.WORDS, "What do you want to know?", writing(lines=True), hint=hint)
        return _words_view(ids.CHANGES, "Ask back", request, field, submit="Ask")
    hint = f"{name(request.agent)} gets these words. The request comes back here when it is revised."
    field = asked(ids.WORDS, "What should change?", writing(lines=True), hint=hint)
    return _words_view(ids.CHANGES, "Request changes", request, field, submit="Send back")


def flag_view(request: Request, back: str = "") -> View:
    """Ask what is wrong with what has run. `back`: where the list is that is shown anew afterwards."""
    hint = "It is kept in the log. Nothing is undone by this."
    field = asked(ids.WORDS, "What is wrong with it?", writing(lines=True), hint=hint)
    return {**_words_view(ids.FLAG, "Flag", request, field, submit="Flag"), **_going(back, request)}


def undo_view(request: Request, back: str = "") -> View:
    """Ask why it should be undone; its agent is asked to."""
    hint = f"{name(request.agent)} is asked to undo it, and gets these words. Details tell whether it could."
    field = asked(ids.WORDS, "Why should it be undone?", writing(lines=True), hint=hint)
    return {**_words_view(ids.UNDO, "Undo", request, field, submit="Undo"), **_going(back, request)}


def _going(back: str, request: Request) -> View:
    return {"private_metadata": ids.pack_agreed(request, back)}


def answer_view(request: Request, *, file_url: str | None = None) -> View:
    """The whole question, and its options or room for an answer."""
    question = question_of(request)
    blocks = [
        header(headline(request)),
        about(request),
        *call_blocks(request, file_url),
        *reason_blocks(request),
    ]
    if question.fits_menu:
        options = menu(request)
        chooser: Block = {"type": "radio_buttons", "options": options}
        if len(options) > RADIOS:
            chooser = select(ids.CHOICE, "Choose an answer", options)
        blocks.append(asked(ids.CHOICE, "Choose", chooser, optional=question.may_be_written))
    if question.in_dialog:
        blocks += answer_fields(request)
    elif question.may_be_written or not question.fits_menu:
        words = "Or write your answer" if question.fits_menu else "Your answer"
        is_free = question.free_text or not question.options
        hint = None if is_free else "Write one of the options exactly as it is listed above."
        blocks.append(asked(ids.WORDS, words, writing(lines=True), hint=hint, optional=question.fits_menu))
    return dialog(ids.ANSWER, "Answer", blocks, metadata=ids.pack(request), submit="Answer")


def details_view(
    request: Request,
    now: datetime,
    *,
    can_act: bool = False,
    file_url: str | None = None,
    standing_in: Mapping[PersonId, PersonId] | None = None,
    freeze: Freeze | None = None,
) -> View:
    """All there is to know of a request. `can_act`: this person may decide it, so offer that here too."""
    blocks = [
        header(headline(request)),
        *call_blocks(request, file_url),
        *change_blocks(request),
        *reason_blocks(request),
    ]
    told = story(request, now, freeze)
    if told:
        blocks.append(rich(*(element for one in told for element in told_elements(one, INPUT_CHARS - 500))))
    if can_act and is_open(request, now):
        blocks.append(actions("decide", *_details_buttons(request)))
    if request.review is not None:
        blocks += review_blocks(request, now)
    blocks += [{"type": "divider"}, rich(section(*_facts(request))), _who(request, standing_in or {})]
    blocks += [header("What happened"), *_trail(request)]
    return dialog(ids.DETAILS, label(request), blocks, metadata=ids.pack(request))


def notice_view(words: str) -> View:
    """One sentence of ours, where a dialog is the only place to say it."""
    said: Block = {"type": "section", "text": {"type": "mrkdwn", "text": words, "verbatim": True}}
    return dialog("notice", "Countersign", [said], metadata="")


# -- reading them back --------------------------------------------------------------------------------


def words_in(values: Values) -> str | None:
    """What was written in a dialog's one text field; None: nothing."""
    field = values.get(ids.WORDS, {}).get(ids.WORDS, {})
    written = field.get("value")
    return written if isinstance(written, str) and written.strip() else None


def read_answer(request: Request, values: Values) -> str | dict[str, str]:
    """The answer, or errors by block id; what was written outranks what was chosen.

    Raises:
        Stale: the option is of an older version, or of another request.
    """
    if question_of(request).in_dialog:
        return read_fields(request, values)
    written = words_in(values)
    if written is not None:
        return written
    chosen = (values.get(ids.CHOICE, {}).get(ids.CHOICE, {}).get("selected_option") or {}).get("value")
    if chosen is not None:
        pick = ids.unpack_pick(chosen)
        words = answer_at(request, pick.index) if pick.fits(request) else None
        if words is None:
            raise ids.Stale("the option is of another request, or of a question that has changed")
        return words
    field = ids.CHOICE if question_of(request).fits_menu else ids.WORDS
    return {field: "Choose or write an answer."}


# -- parts --------------------------------------------------------------------------------------------


def _words_view(callback_id: str, title: str, request: Request, field: Block, *, submit: str) -> View:
    blocks = [header(headline(request)), about(request), field]
    return dialog(callback_id, title, blocks, metadata=ids.pack(request), submit=submit)


def note_field(request: Request, *, is_own: bool = False, initial: str | None = None) -> Block:
    """Room for a note beside an approval; a reason must be given by whom it is asked for."""
    if is_own:
        told = "This is your own request. The card will say so, with this reason."
        return asked(ids.WORDS, "Why may it go ahead?", writing(lines=True, initial=initial), hint=told)
    hint = f"{name(request.agent)} gets it too."
    return asked(ids.WORDS, "Note", writing(lines=True, initial=initial), hint=hint, optional=True)


def call_blocks(request: Request, file_url: str | None) -> Iterator[Block]:
    """The call in full; or its ends, and where its file is."""
    shown = whole_call(request)
    if offer_for(request) is not Offer.FILE:
        yield from _literal_or_quote(request, shown.text)
    else:
        yield from _literal_or_quote(
            request, spread(shown.text, HEAD_AND_TAIL_CHARS, HEAD_AND_TAIL_CHARS // 2)
        )
        link: Block = {"type": "text", "text": "the file in its thread"}
        if file_url:
            link = {"type": "link", "url": file_url, "text": "the file in its thread"}
        told: Block = {"type": "text", "text": "This is too long for a dialog. All of it is in "}
        end: Block = {"type": "text", "text": "; read that before you decide."}
        yield rich({"type": "rich_text_section", "elements": [told, link, end]})
    if shown.hidden:
        yield hidden_notice(shown.hidden)
    if request.masks:
        yield masked_notice(len(request.masks))


def change_blocks(request: Request) -> Iterator[Block]:
    """What people have changed of what was asked."""
    asked_args = shown_asked(request)
    changes = diff_text(asked_args, shown_args(request), CHANGE_CHARS, whole=False).text if asked_args else ""
    if changes:
        yield rich(section(("Changed from what was asked:",)))
        yield from literals(spread(changes, HEAD_AND_TAIL_CHARS, HEAD_AND_TAIL_CHARS // 2))


def _literal_or_quote(request: Request, shown: str) -> list[Block]:
    return words_over(shown) if request.kind is Kind.QUESTION else literals(shown)


def reason_blocks(request: Request) -> Iterator[Block]:
    """What the agent says of it."""
    if request.reason:
        yield rich(section((f"{name(request.agent)} says:",)))
        yield from words_over(clip(reveal(request.reason)[0], WORDS_CHARS))


def _details_buttons(request: Request) -> Iterator[Block]:
    ready = request.kind is Kind.ACTION and request.sent_back is None
    if ready and offer_for(request) is not Offer.FILE:
        yield approve_button(request)
    yield reject_button(request)
    if request.deadline is not None and request.terms.extend_s > request.extended_s:
        yield button("Extend…", ids.EXTEND, ids.pack(request))


def _facts(request: Request) -> Iterator[Line]:
    """One fact a line; agents' and operators' words are clipped, on one line and plain."""
    terms, is_asked = request.terms, request.terms.action is Action.ASK
    yield ("Id: ", request.id)
    yield ("Asked by: " if is_asked else "Agent: ", name(request.agent), *_confidence(request))
    if request.kind is not Kind.QUESTION:
        yield ("Tool: ", one_line(request.tool, FACT_CHARS))
        yield ("Risk: ", str(terms.risk))
    yield ("Asked because: " if is_asked else "Because: ", one_line(terms.because, FACT_CHARS))
    yield ("Rule: ", one_line(terms.rule, FACT_CHARS), " (policy ", one_line(terms.policy, 64), ")")
    if is_asked:
        yield from _wanted(request)
    if request.tags:
        yield ("Tags: ", one_line(", ".join(request.tags), FACT_CHARS))
    if request.batch:
        yield ("Batch: ", one_line(request.batch, FACT_CHARS))
    yield ("Fingerprint: ", request.fingerprint)


def _wanted(request: Request) -> Iterator[Line]:
    """By when people decide it, how many of them, and how long their yes lasts."""
    terms = request.terms
    yield from _deadline(request)
    if request.kind is Kind.ACTION:
        yield ("Once approved: it may run within ", tell_duration(terms.use_within_s))
    if terms.groups:
        yield ("Needs: ", ", ".join(f"{group.needed} of {name(group.name)}" for group in terms.groups))
    elif terms.quorum > 1:
        yield ("Needs: ", f"{terms.quorum} different people")


def _deadline(request: Request) -> Iterator[Line]:
    if request.deadline is None:
        yield ("Deadline: none",)
        return
    goes_ahead = request.terms.on_deadline is OnDeadline.APPROVE and request.kind is Kind.ACTION
    expires = f"it expires, and {name(request.agent)} is told that nobody answered"
    then = "it goes ahead, unless someone has rejected it" if goes_ahead else expires
    yield ("Deadline: ", Moment(request.deadline, near=request.created_at), f"; then {then}")


def _confidence(request: Request) -> tuple[Part, ...]:
    return () if request.confidence is None else (f", {request.confidence:.0%} sure",)


def _who(request: Request, standing_in: Mapping[PersonId, PersonId]) -> Block:
    """Who may decide, and for whom it is asked: mentions, which call nobody in a dialog."""
    told = f"May decide: {deciders((*request.terms.approvers, *request.added))}"
    for absent, deputy in standing_in.items():
        told += (
            f" · {deciders([Principal(deputy)])} stands in for {deciders([Principal(absent)])}, who is away"
        )
    if request.on_behalf_of:
        told += f" · On behalf of: {deciders([Principal(request.on_behalf_of)])}"
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": told, "verbatim": True}]}


def _trail(request: Request) -> Iterator[Block]:
    lines = trail_lines(request)
    for one in lines[-TRAIL_LINES:]:
        yield rich(*told_elements(one, TRAIL_WORDS_CHARS))
