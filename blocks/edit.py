"""The edit form: the call as fields, and the fields as a call again; submitting it approves that call."""

from __future__ import annotations

from dataclasses import dataclass

from approvals.model import Args, Kind, Request
from blocks import ids
from blocks.action import headline
from blocks.call import call_text
from blocks.dialogs import note_field, words_in
from blocks.diff import ABSENT, Absent
from blocks.form import REST, As, Field, Values, Wrong, drawn, form_of, has_fields, read
from blocks.pieces import View, dialog, header, literals, rich, section
from blocks.request import Offer, about, hidden_notice, offer_for
from blocks.text import clip

ERROR_CHARS = 200


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
    hidden = call_text(request.args).hidden
    if hidden:
        blocks.append(hidden_notice(hidden))
    blocks += [drawn(field) for field in form if field.kind is not As.FIXED]
    fixed = _fixed(form)
    if fixed:
        blocks.append(rich(section(("These can't be edited here, and stay as they are:",))))
        blocks += literals(call_text(fixed).text)
    blocks.append(note_field(request, is_own=is_own))
    return dialog(ids.EDIT, "Edit and approve", blocks, metadata=ids.pack(request), submit="Approve")


def _fixed(form: list[Field]) -> Args:
    fixed: Args = {}
    for field in form:
        if field.kind is As.FIXED and field.before is not ABSENT:
            fixed |= (
                field.before
                if field.block_id == REST and isinstance(field.before, dict)
                else {field.name: field.before}
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
