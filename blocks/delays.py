"""The dialogs that ask for time: more of it for everybody, or none of the reminders for a while."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from approvals.durations import tell_duration
from approvals.model import Request
from blocks import ids
from blocks.action import headline
from blocks.form import Values
from blocks.pieces import Block, View, asked, dialog, header, notice, option
from blocks.request import about
from blocks.text import name

HOUR_S = 3600
NOTHING_CHOSEN = {ids.CHOICE: "Choose one of these."}


def extend_view(request: Request) -> View:
    """How much more time people get, of what the rule allows."""
    left_s = request.terms.extend_s - request.extended_s
    choices = [(tell_duration(seconds), seconds) for seconds in (HOUR_S, 4 * HOUR_S) if seconds < left_s]
    choices.append((f"{tell_duration(left_s)}, all that its rule allows", left_s))
    hint = f"Its deadline moves for everybody, and {name(request.agent)} waits for as much longer."
    return _choice_view(ids.EXTEND, "Extend", request, "How much more time?", choices, hint=hint)


def snooze_view(request: Request, now: datetime, tomorrow: datetime) -> View:
    """For how long nobody is reminded; `tomorrow` is nine o'clock of the reader's next day."""
    untils = [("An hour", now + timedelta(hours=1)), ("Until tomorrow, 9:00", tomorrow)]
    fitting = [
        (words, int(until.timestamp()))
        for words, until in untils
        if request.deadline is None or until < request.deadline
    ]
    if not fitting:
        blocks = [header(headline(request)), about(request), notice("Its deadline is too near for that.")]
        return dialog(ids.SNOOZE, "Snooze", blocks, metadata=ids.pack(request))
    hint = "Nobody is reminded of this request until then. Its deadline stays."
    return _choice_view(ids.SNOOZE, "Snooze", request, "No reminders for how long?", fitting, hint=hint)


def _choice_view(
    callback_id: str,
    title: str,
    request: Request,
    label: str,
    choices: Iterable[tuple[str, int]],
    *,
    hint: str,
) -> View:
    options = [option(words, str(value)) for words, value in choices]
    chooser: Block = {"type": "radio_buttons", "options": options, "initial_option": options[0]}
    blocks = [header(headline(request)), about(request), asked(ids.CHOICE, label, chooser, hint=hint)]
    return dialog(callback_id, title, blocks, metadata=ids.pack(request), submit=title)


def read_choice(values: Values) -> int | dict[str, str]:
    """The seconds, or the moment as seconds since the epoch, that was chosen; or errors by block id.

    Raises:
        Stale: the option is of an older version.
    """
    chosen = (values.get(ids.CHOICE, {}).get(ids.CHOICE, {}).get("selected_option") or {}).get("value")
    if chosen is None:
        return NOTHING_CHOSEN
    if not isinstance(chosen, str) or not chosen.isdecimal():
        raise ids.Stale(f"no time {chosen!r}")
    return int(chosen)
