"""Grants in Slack: the dialog that makes one, and the list in which they are seen and revoked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from approvals.grants import MOST_USES, Bound, Grant, Limit, Used, is_amount
from approvals.model import Request
from blocks import ids
from blocks.action import headline
from blocks.form import Values
from blocks.pieces import (
    Block,
    Card,
    Moment,
    View,
    aside,
    asked,
    button,
    dialog,
    header,
    notice,
    option,
    plain,
    select,
)
from blocks.request import about
from blocks.text import escape, name, one_line, reveal

VALUE_CHARS, ID_CHARS = 40, 12
LISTED = 15
USES = 10  # unless told
SPANS = {"3600": "1 hour", "28800": "8 hours", "86400": "1 day", "604800": "1 week"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to let through from now on."""

    limits: tuple[Limit, ...]
    seconds: int
    uses: int
    total_of: str | None
    total: float


# -- the dialog ---------------------------------------------------------------------------------------


def grant_view(request: Request) -> View:
    """Ask how like it the calls must be, for how long, how often, and for how much in all."""
    told = "Approves this call. Within these limits, calls like it by the same agent then go through unasked."
    blocks = [header(headline(request)), about(request), notice(told)]
    for index, (arg, value) in enumerate(sorted(request.args.items())):
        blocks.append(_limit_field(index, arg, value))
    spans = [option(words, seconds) for seconds, words in SPANS.items()]
    blocks.append(asked("for", "For how long", _first(select("for", "How long", spans))))
    uses: Block = {
        "type": "number_input",
        "is_decimal_allowed": False,
        "min_value": "1",
        "initial_value": str(USES),
    }
    blocks.append(asked("uses", "How many calls", {**uses, "max_value": str(MOST_USES)}))
    amounts = _amounts(request)
    if amounts:
        options = [option(_shown(arg), str(index)) for index, arg in amounts]
        blocks.append(asked("total_of", "Sum up", select("total_of", "Nothing", options), optional=True))
        total: Block = {"type": "number_input", "is_decimal_allowed": True, "min_value": "0"}
        blocks.append(asked("total", "To at most, in all", total, optional=True))
    return dialog(ids.SIMILAR, "Approve similar", blocks, metadata=ids.pack(request), submit="Approve")


def read_grant(request: Request, values: Values) -> Wish | dict[str, str]:
    """What was filled in, or errors by block id."""
    args = sorted(request.args.items())
    limits = tuple(
        _limit(arg, value, _picked(values, f"limit:{index}")) for index, (arg, value) in enumerate(args)
    )
    uses, span = _written(values, "uses"), _picked(values, "for")
    errors: dict[str, str] = {}
    if span not in SPANS:
        errors["for"] = "Choose how long."
    if uses is None or uses != int(uses) or not 1 <= uses <= MOST_USES:
        errors["uses"] = f"Write a whole number from 1 to {MOST_USES:,}."
    summed, total = _picked(values, "total_of"), _written(values, "total")
    total_of = {str(index): arg for index, arg in _amounts(request)}.get(summed)
    if (total_of is None) != (total is None):
        errors["total"] = "Choose what to sum up, and write how much in all; or leave both out."
    elif total is not None and not is_amount(total):
        errors["total"] = "Write a number from 0 to 1,000,000,000."
    if errors or uses is None:
        return errors
    return Wish(limits=limits, seconds=int(span), uses=int(uses), total_of=total_of, total=total or 0)


def _limit_field(index: int, arg: str, value: object) -> Block:
    options = [option(f"exactly {_shown(value)}", Bound.SAME)]
    if is_amount(value):
        options.append(option(f"from 0 to {_shown(value)}", Bound.UP_TO))
    options.append(option("anything", Bound.ANY))
    return asked(f"limit:{index}", _shown(arg), _first(select(f"limit:{index}", "Limit", options)))


def _first(chooser: Block) -> Block:
    return {**chooser, "initial_option": chooser["options"][0]}


def _amounts(request: Request) -> list[tuple[int, str]]:
    return [
        (index, arg) for index, (arg, value) in enumerate(sorted(request.args.items())) if is_amount(value)
    ]


def _limit(arg: str, value: object, picked: str) -> Limit:
    bound = Bound(picked) if picked in list(Bound) else Bound.SAME
    return Limit(arg=arg, bound=bound, value=None if bound is Bound.ANY else value)


def _picked(values: Values, field: str) -> str:
    return str((_field(values, field).get("selected_option") or {}).get("value", ""))


def _written(values: Values, field: str) -> float | None:
    try:
        return float(_field(values, field).get("value") or "")
    except ValueError:
        return None


def _field(values: Values, field: str) -> Block:
    return dict(values.get(field, {}).get(field, {}))


def _shown(value: object) -> str:
    spelled = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return one_line(reveal(spelled)[0], VALUE_CHARS)


# -- the list -----------------------------------------------------------------------------------------


def listed(grants: Sequence[Grant], used: Mapping[str, Used], now: datetime) -> Card:
    """The answer to `/approvals grants`: what goes through unasked, how much of it is left, and Revoke."""
    if not grants:
        return Card("No grants are in force.", [notice("No grants are in force.")])
    title = "1 grant is in force" if len(grants) == 1 else f"{len(grants)} grants are in force"
    blocks, text = [header(title)], [f"{title}:"]
    for grant in grants[:LISTED]:
        revoke = button("Revoke", ids.REVOKE, grant.id, style="danger", described=f"Revoke grant {grant.id}")
        blocks.append({"type": "section", "text": plain(words(grant)), "accessory": revoke})
        left, until = _left(grant, used.get(grant.id, Used())), Moment(grant.until, near=now)
        blocks.append(aside(f"{left} · until ", until, f" · by {name(grant.by.name)}"))
        text.append(escape(words(grant)))
    if len(grants) > LISTED:
        blocks.append(aside(f"… and {len(grants) - LISTED} more."))
    return Card("\n".join(text), blocks)


def words(grant: Grant) -> str:
    """What it lets through, on one line."""
    limits = ", ".join(_told(limit) for limit in grant.limits) or "no arguments"
    return f"{grant.id}: {one_line(grant.tool, VALUE_CHARS)} by {grant.agent}; {limits}"


def revoked(grant_id: str, *, was_there: bool) -> str:
    named = escape(one_line(grant_id, ID_CHARS))
    return (
        f"Revoked: {named}. Such calls are asked for again." if was_there else f"{named} has ended already."
    )


NOT_GRANTABLE = (
    "Calls like this one can't be let through in advance: that takes a call that one person may approve, "
    "a risk below critical, and a card that shows all of it."
)
NOT_YOURS = (
    "You can't revoke this grant: that is for whoever gave it, those who could have, and the policy's owners."
)


def _told(limit: Limit) -> str:
    match limit.bound:
        case Bound.ANY:
            return f"any {_shown(limit.arg)}"
        case Bound.UP_TO:
            return f"{_shown(limit.arg)} up to {_shown(limit.value)}"
        case Bound.SAME:
            return f"{_shown(limit.arg)} {_shown(limit.value)}"


def _left(grant: Grant, used: Used) -> str:
    total = (
        ""
        if grant.total_of is None
        else f", {used.total:g} of {grant.total:g} in all ({_shown(grant.total_of)})"
    )
    return f"{used.count} of {grant.uses} used{total}"
