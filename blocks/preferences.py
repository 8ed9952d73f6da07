"""What a person has set for themselves: in a sentence on their Home tab, and the dialog that changes it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import time

from approvals.preferences import MOST_TIMES, Preferences, Where, is_quiet
from blocks import ids
from blocks.form import Values
from blocks.pieces import Block, View, aside, asked, button, dialog, header, option, plain, writing

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TYPED_CHARS = 100
_WHERE = {
    Where.CHANNEL: "In channels only",
    Where.DM: "By direct message: one of my own, of all that waits for me",
    Where.BOTH: "Both",
}
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_HOURS = re.compile(r"(\S+?)\s*(?:-|–|to)\s*(\S+)")
_NO_TIMES = "Write times of day, such as 09:00, 15:30."
_NO_HOURS = "Write from when until when, such as 18:00-08:00, or leave it empty."


# -- on the Home tab ----------------------------------------------------------------------------------


def settings_blocks(preferences: Preferences, zone: str) -> list[Block]:
    """What is set, and the way to change it."""
    change = button("Change…", ids.SETTINGS, "-", described="Change my settings")
    return [
        header("My settings"),
        {"type": "section", "text": plain(_told(preferences)), "accessory": change},
        aside(f"Times are those of {zone}, from your Slack profile."),
    ]


def _told(preferences: Preferences) -> str:
    at = ", ".join(f"{each:%H:%M}" for each in preferences.at)
    digest = {
        Where.CHANNEL: "Digests come in channels only.",
        Where.DM: f"A digest of your own comes by direct message at {at}.",
        Where.BOTH: f"A digest of your own comes by direct message at {at}, beside those in channels.",
    }[preferences.where]
    if not preferences.pings:
        return f"{digest} Nobody pings you: no reminders by direct message, no mentions."
    off = [f"on {DAYS[day]}s" for day in preferences.days_off]
    if preferences.quiet:
        off.insert(0, f"from {preferences.quiet[0]:%H:%M} to {preferences.quiet[1]:%H:%M}")
    return f"{digest} No pings {', '.join(off)}." if off else f"{digest} Pings reach you at any time."


# -- the dialog ---------------------------------------------------------------------------------------


def settings_view(preferences: Preferences) -> View:
    """Ask for all of it."""
    quiet = "" if preferences.quiet is None else "-".join(f"{at:%H:%M}" for at in preferences.quiet)
    at = ", ".join(f"{each:%H:%M}" for each in preferences.at)
    where = [option(words, each) for each, words in _WHERE.items()]
    pings = [option("On", "on"), option("Off: never remind or mention me", "off")]
    days = [option(day, str(number)) for number, day in enumerate(DAYS)]
    off = [days[day] for day in preferences.days_off]
    blocks = [
        asked("where", "Digests", _radio(where, list(Where).index(preferences.where))),
        asked("at", "My own digest comes at", writing(chars=TYPED_CHARS, initial=at), hint=_NO_TIMES),
        asked(
            "quiet",
            "Quiet hours",
            writing(chars=TYPED_CHARS, initial=quiet),
            hint="In these you get no reminders by direct message and no mentions. What only comes by "
            "direct message still does, and every deadline holds.",
            optional=True,
        ),
        asked("days_off", "Days off", _boxes(days, off), optional=True),
        asked("pings", "Pings", _radio(pings, 0 if preferences.pings else 1)),
    ]
    return dialog(ids.SETTINGS, "My settings", blocks, metadata="", submit="Save")


def read_settings(before: Preferences, values: Values) -> Preferences | dict[str, str]:
    """What was filled in, or errors by block id."""
    errors: dict[str, str] = {}
    at, quiet = _times(_written(values, "at")), _hours(_written(values, "quiet"))
    if at is None:
        errors["at"] = f"{_NO_TIMES} At most {MOST_TIMES}."
    if quiet is None:
        errors["quiet"] = _NO_HOURS
    ticked = _field(values, "days_off").get("selected_options") or ()
    days = tuple(sorted({int(each["value"]) % len(DAYS) for each in ticked}))
    if len(days) == len(DAYS):
        errors["days_off"] = "Leave at least one day. To be pinged never, turn pings off."
    where, pings = _picked(values, "where"), _picked(values, "pings")
    wanted = replace(
        before,
        where=Where(where) if where in list(Where) else before.where,
        at=at or before.at,
        quiet=quiet or None,
        days_off=days,
        pings=pings != "off",
    )
    if not errors and wanted.where is not Where.CHANNEL and (lost := _in_quiet_hours(wanted)):
        errors["at"] = f"{lost} lies in your quiet hours. Choose another time, or other hours."
    return errors or wanted


def _in_quiet_hours(wanted: Preferences) -> str:
    return ", ".join(f"{at:%H:%M}" for at in wanted.at if is_quiet(wanted, at))


def _times(typed: str) -> tuple[time, ...] | None:
    times = [_clock(part) for part in re.split(r"[,;\s]+", typed.strip()) if part]
    found = sorted({at for at in times if at is not None})
    return tuple(found) if found and None not in times and len(found) <= MOST_TIMES else None


def _hours(typed: str) -> tuple[time, time] | tuple[()] | None:
    """Nothing: none are wanted. None: it can't be read."""
    if not typed.strip():
        return ()
    found = _HOURS.fullmatch(typed.strip())
    begins, ends = (_clock(found[1]), _clock(found[2])) if found else (None, None)
    return None if begins is None or ends is None or begins == ends else (begins, ends)


def _clock(typed: str) -> time | None:
    found = _CLOCK.fullmatch(typed)
    return time(int(found[1]), int(found[2])) if found else None


def _radio(options: list[Block], chosen: int) -> Block:
    return {"type": "radio_buttons", "options": options, "initial_option": options[chosen]}


def _boxes(options: list[Block], ticked: list[Block]) -> Block:
    made: Block = {"type": "checkboxes", "options": options}
    return {**made, "initial_options": ticked} if ticked else made


def _picked(values: Values, field: str) -> str:
    return str((_field(values, field).get("selected_option") or {}).get("value", ""))


def _written(values: Values, field: str) -> str:
    return str(_field(values, field).get("value") or "")


def _field(values: Values, field: str) -> Block:
    return dict(values.get(field, {}).get(field, {}))
