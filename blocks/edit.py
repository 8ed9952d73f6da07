"""The edit form: the call as fields, and the fields as a call again; submitting it approves that call.

Where the policy wants others to decide the changed call, the form comes again and says so first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from approvals.masking import seen_again, shown_args
from approvals.model import Args, Kind, Person, Request, Terms, Vote
from approvals.quorum import groups_of, is_met
from blocks import ids
from blocks.action import headline
from blocks.call import call_text
from blocks.dialogs import note_field, words_in
from blocks.diff import ABSENT, Absent
from blocks.form import REST, As, Field, Values, Wrong, drawn, form_of, has_fields, read
from blocks.people import deciders
from blocks.pieces import View, dialog, header, literals, rich, section
from blocks.request import Offer, about, hidden_notice, masked_notice, offer_for
from blocks.text import clip, escape, one_line

ERROR_CHARS = 200
BECAUSE_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What a person made of the call."""

    args: Args
    note: str | None


def is_editable(request: Request) -> bool:
    """Whether the form can show the whole call, and some of it can be changed there."""
    return request.kind is Kind.ACTION and offer_for(request) is not Offer.FILE and has_fields(request)


def edit_view(request: Request, *, is_own: bool = False) -> View:
    """A field for each argument; what can't be edited stands below them as text."""
    form = form_of(request)
    blocks = [header(headline(request)), about(request)]
    hidden = call_text(shown_args(request)).hidden
    if hidden:
        blocks.append(hidden_notice(hidden))
    if request.masks:
        blocks.append(masked_notice(len(request.masks)))
    blocks += [drawn(field) for field in form if field.kind is not As.FIXED]
    fixed = _fixed(form)
    if fixed:
        blocks.append(rich(section(("These can't be edited here, and stay as they are:",))))
        blocks += literals(call_text(fixed).text)
    blocks.append(note_field(request, is_own=is_own))
    return dialog(ids.EDIT, "Edit and approve", blocks, metadata=ids.pack(request), submit="Approve")


def redirect_view(
    request: Request, edited: Edited, terms: Terms, mark: str, *, voter: Person | None, is_own: bool = False
) -> View:
    """The form as it was left, under what the policy says of that; submitting it agrees to just that.

    `voter` is whoever changed it, if the new terms let their yes count.
    """
    form = [_left(field, edited.args) for field in form_of(request)]
    is_enough = voter is not None and is_met(terms, (_vote(request, terms, voter),))
    words = _changed(terms, voter is not None, is_enough)
    blocks = [
        header(headline(request)),
        about(request),
        {"type": "section", "text": {"type": "mrkdwn", "text": words, "verbatim": True}},
        *(drawn(field) for field in form if field.kind is not As.FIXED),
        note_field(request, is_own=is_own, initial=edited.note),
    ]
    submit, title = ("Approve", "Edit and approve") if is_enough else ("Send to them", "Send it on?")
    return dialog(ids.EDIT, title, blocks, metadata=ids.pack_agreed(request, mark), submit=submit)


def _vote(request: Request, terms: Terms, voter: Person) -> Vote:
    return Vote(person=voter.id, name=voter.name, at=request.created_at, groups=groups_of(terms, voter))


def _left(field: Field, args: Args) -> Field:
    if field.block_id == REST and isinstance(field.before, dict):
        others = {name: args[name] for name in field.before if name in args}
        return replace(field, before=others, seen=seen_again(others, field.before, field.seen))
    left = args.get(field.name, ABSENT)
    return replace(field, before=left, seen=seen_again(left, field.before, field.seen))


def _changed(terms: Terms, counts: bool, is_enough: bool) -> str:
    needed = sum(group.needed for group in terms.groups) or terms.quorum
    many = "one of them" if needed == 1 else f"{needed} of them"
    why = escape(one_line(terms.because, BECAUSE_CHARS))
    who = f"It is for {deciders(terms.approvers)}, and {many} must agree. It is {terms.risk} risk."
    if is_enough:
        yours = "Your yes is enough."
    elif counts:
        yours = "Your yes counts. Send it to the others?"
    else:
        yours = "You are not one of them, so your yes does not count. Send it to them?"
    return f"⚠ *Changed like this, other rules hold:* {why}\n{who} {yours}"


def why_not(request: Request, edited: Edited, why: str) -> dict[str, str]:
    """Say below what was changed that the policy denies it."""
    form = [field for field in form_of(request) if field.kind is not As.FIXED]
    changed = [field for field in form if _left(field, edited.args).before != field.before]
    blamed = (changed or form)[0]
    return {blamed.block_id: clip(why, ERROR_CHARS)}


def _fixed(form: list[Field]) -> Args:
    fixed: Args = {}
    for field in form:
        if field.kind is As.FIXED and field.seen is not ABSENT:
            fixed |= (
                field.seen
                if field.block_id == REST and isinstance(field.seen, dict)
                else {field.label: field.seen}
            )
    return fixed


def read_edit(request: Request, values: Values) -> Edited | dict[str, str]:
    """The call as the form was left, or what is wrong with it, by block id."""
    args: Args = dict(request.args)
    errors: dict[str, str] = {}
    for field in form_of(request):
        found = field.before if field.kind is As.FIXED else read(field, values)
        if isinstance(found, Wrong):
            errors[field.block_id] = clip(found.why, ERROR_CHARS)
        elif field.block_id == REST:
            args = _with_rest(args, field, found, errors)
        elif isinstance(found, Absent):
            args.pop(field.name, None)
        else:
            args[field.name] = found
    return errors or Edited(args=args, note=words_in(values))


def _with_rest(args: Args, field: Field, found: object, errors: dict[str, str]) -> Args:
    before, after = field.before, found
    if not isinstance(before, dict) or not isinstance(after, dict):
        return args
    own = {name: item for name, item in args.items() if name not in before}
    if own.keys() & after.keys():
        errors[REST] = "Some of these arguments have a field of their own above; edit them there."
    return {**own, **after}
