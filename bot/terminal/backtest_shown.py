"""A backtest as people and scripts get it: tables and bars for a terminal, JSON, and a picture as SVG."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from html import escape

from approvals.audit import rfc3339
from approvals.cli import printable
from approvals.model import Action, Json
from bot.backtest import Backtest, Count, Day, Replayed
from bot.columns import show_table

LISTED = 20  # calls of each kind on a terminal; --json has all
CALL_CHARS = 70
SPARKS = "▁▂▃▄▅▆▇█"
BAR_CHARS = 40
DONE = {
    Action.ALLOW: "allowed",
    Action.ASK: "asked",
    Action.DENY: "denied",
    Action.REVIEW: "reviewed",
}
ACTIONS = tuple(DONE)


def show(found: Backtest) -> None:
    """Print everything for people."""
    span = f"{found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}"
    _out(f"{len(found.calls):,} calls from {span}, under policy {found.policy}\n")
    show_table(
        ["", *DONE.values()], [["in fact", *_numbers(found.was)], ["this file", *_numbers(found.would)]]
    )
    _out("\n" + "\n".join(bars(found)))
    _out("\n" + "\n".join(savings(found)) + "\n")
    people = ["of these people approved", "rejected", "neither"]
    show_table(["rule of this file", *DONE.values(), *people], _rows(found.per_rule))
    if found.per_person:
        _out("")
        head = [
            "decided in fact by",
            *(f"would be {word}" for word in DONE.values()),
            "approved",
            "rejected",
            "neither",
        ]
        show_table(head, _rows(found.per_person))
    for told, calls in warnings(found):
        _list(told, calls)


def _numbers(of: Callable[[Action], int]) -> list[str]:
    return [f"{of(action):,}" for action in ACTIONS]


def _rows(counts: Mapping[str, Count]) -> list[list[str]]:
    return [
        [name, *(f"{each.would[action]:,}" for action in ACTIONS)]
        + [f"{number:,}" for number in (each.approved, each.rejected, each.otherwise)]
        for name, each in counts.items()
    ]


def savings(found: Backtest) -> list[str]:
    """What it would spare people, in sentences."""
    was, would = found.per_day(found.was(Action.ASK)), found.per_day(found.would(Action.ASK))
    told = [
        f"Asks a day: {was:.1f} in fact, {would:.1f} with this file.",
        f"Hours waited for people: {found.hours_waited:,.1f}, of which {found.hours_saved:,.1f} saved.",
    ]
    return [*told, _grants(found)] if found.granted else told


def _grants(found: Backtest) -> str:
    calls = "1 call was" if len(found.granted) == 1 else f"{len(found.granted):,} calls were"
    asked = f"this file alone would ask about {_asked(found.granted):,}"
    return f"{calls} let through by grants in fact; {asked}, since grants are not replayed."


def _asked(calls: Sequence[Replayed]) -> int:
    return sum(each.would is Action.ASK for each in calls)


def warnings(found: Backtest) -> list[tuple[str, Sequence[Replayed]]]:
    """What to look at before the file is put in force."""
    every = [
        ("would be let through, and people rejected it", found.let_through),
        ("would be let through as asked, and people changed it", found.unedited),
        ("would be denied, and people approved it", found.stopped),
    ]
    return [(told, calls) for told, calls in every if calls]


def _list(told: str, calls: Sequence[Replayed]) -> None:
    _out(f"\n{len(calls):,} {told}:")
    show_table(
        ["id", "when", "call", "rule of this file", "in fact"], [_line(each) for each in calls[:LISTED]]
    )
    if len(calls) > LISTED:
        _out(f"… and {len(calls) - LISTED:,} more; --json lists all")


def _line(one: Replayed) -> list[str]:
    case = one.case
    call = f"{case.facts.agent}: {case.facts.tool} {json.dumps(case.facts.args, ensure_ascii=False)}"
    call = call if len(call) <= CALL_CHARS else call[:CALL_CHARS] + "…"
    said = f": {case.said}" if case.said else ""
    return [case.id[:8], f"{case.at:%m-%d %H:%M}", call, one.rule, f"{case.ended} by {case.by}{said}"]


# -- pictures -----------------------------------------------------------------------------------------


def bars(found: Backtest) -> list[str]:
    """Asks in fact and with the file: in all, and day by day on one scale."""
    days, most = found.days, max(found.was(Action.ASK), found.would(Action.ASK), 1)
    busiest = max([1, *(max(day.asked, day.would_ask) for day in days)])
    series = (
        ("asked in fact  ", found.was(Action.ASK), [day.asked for day in days]),
        ("with this file ", found.would(Action.ASK), [day.would_ask for day in days]),
    )
    lines = [f"{name} {_bar(count, most)} {count:,}" for name, count, _ in series]
    if len(days) > 1:
        lines += [
            f"{name} {''.join(_spark(each, busiest) for each in daily)}  a day" for name, _, daily in series
        ]
    return lines


def _bar(count: int, most: int) -> str:
    eighths = round(count / most * BAR_CHARS * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")


def _spark(count: int, most: int) -> str:
    return "·" if count == 0 else SPARKS[round(count / most * (len(SPARKS) - 1))]


WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 280, 44, 56, 40
_STYLE = """
    svg { color-scheme: light dark; background: #ffffff; color: #1f2933; font: 13px system-ui, sans-serif; }
    text { fill: currentColor; }
    .line { stroke: currentColor; stroke-opacity: .25; }
    .fact { fill: #7b8794; }
    .file { fill: #0b69a3; }
    @media (prefers-color-scheme: dark) {
      svg { background: #14181d; color: #e4e7eb; }
      .fact { fill: #9aa5b1; }
      .file { fill: #5ab1ef; }
    }
"""


def svg(found: Backtest) -> str:
    """Asks a day as a picture that stands alone: two bars a day, with words for who can't see them."""
    days = found.days
    most = max([1, *(max(day.asked, day.would_ask) for day in days)])
    step = (WIDTH - LEFT - 16) / len(days)
    told = " ".join(savings(found))
    summary = f"{len(found.calls):,} calls from {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}. {told}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' aria-labelledby="title desc">',
        '  <title id="title">How often people were asked, and would be with this policy</title>',
        f'  <desc id="desc">{escape(summary)}</desc>',
        f"  <style>{_STYLE}  </style>",
        f'  <rect class="fact" x="{LEFT}" y="14" width="12" height="12"/>',
        f'  <text x="{LEFT + 18}" y="25">asked in fact: {found.was(Action.ASK):,}</text>',
        f'  <rect class="file" x="{LEFT + 220}" y="14" width="12" height="12"/>',
        f'  <text x="{LEFT + 238}" y="25">with this file: {found.would(Action.ASK):,}</text>',
        *_scale(most),
        *(
            line
            for number, day in enumerate(days)
            for line in _columns(day, LEFT + number * step, step, most)
        ),
        f'  <text x="{LEFT}" y="{HEIGHT - 14}">{days[0].day}</text>',
    ]
    if len(days) > 1:
        parts.append(f'  <text x="{WIDTH - 16}" y="{HEIGHT - 14}" text-anchor="end">{days[-1].day}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _scale(most: int) -> list[str]:
    lines = []
    for value in sorted({0, most}):
        y = _y(value, most)
        lines.append(f'  <line class="line" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - 16}" y2="{y:.1f}"/>')
        lines.append(f'  <text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>')
    return lines


def _columns(day: Day, x: float, step: float, most: int) -> list[str]:
    """One day: what is drawn can be pointed at, and says its numbers."""
    width = step * 0.38
    told = f"{day.day}: {day.asked:,} asked in fact, {day.would_ask:,} with this file"
    lines = [f"  <g><title>{told}</title>"]
    for name, count, at in (("fact", day.asked, x + step * 0.1), ("file", day.would_ask, x + step * 0.52)):
        y = _y(count, most)
        height = HEIGHT - BOTTOM - y
        lines.append(
            f'    <rect class="{name}" x="{at:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
        )
    return [*lines, "  </g>"]


def _y(count: int, most: int) -> float:
    return HEIGHT - BOTTOM - count / most * (HEIGHT - BOTTOM - TOP)


# -- for scripts --------------------------------------------------------------------------------------


def as_json(found: Backtest) -> dict[str, Json]:
    return {
        "policy": found.policy,
        "since": rfc3339(found.since),
        "until": rfc3339(found.until),
        "calls": len(found.calls),
        "in_fact": {DONE[action]: found.was(action) for action in ACTIONS},
        "with_this_file": {DONE[action]: found.would(action) for action in ACTIONS},
        "asks_per_day": {
            "in_fact": round(found.per_day(found.was(Action.ASK)), 3),
            "with_this_file": round(found.per_day(found.would(Action.ASK)), 3),
        },
        "let_through_by_grants": {
            "in_fact": len(found.granted),
            "asked_with_this_file": _asked(found.granted),
        },
        "hours_waited": round(found.hours_waited, 3),
        "hours_saved": round(found.hours_saved, 3),
        "rules": {name: _count(each) for name, each in found.per_rule.items()},
        "decided_in_fact_by": {name: _count(each) for name, each in found.per_person.items()},
        "days": [{"day": str(day.day), "asked": day.asked, "would_ask": day.would_ask} for day in found.days],
        "let_through_though_rejected": [_call(each) for each in found.let_through],
        "let_through_though_edited": [_call(each) for each in found.unedited],
        "denied_though_approved": [_call(each) for each in found.stopped],
    }


def _count(count: Count) -> dict[str, Json]:
    would: dict[str, Json] = {DONE[action]: count.would[action] for action in ACTIONS}
    people = {"approved": count.approved, "rejected": count.rejected, "neither": count.otherwise}
    return {**would, "people": people}


def _call(one: Replayed) -> dict[str, Json]:
    case = one.case
    return {
        "id": case.id,
        "at": rfc3339(case.at),
        "agent": case.facts.agent,
        "tool": case.facts.tool,
        "args": case.facts.args,
        "rule": one.rule,
        "because": one.because,
        "in_fact": case.ended,
        "by": case.by,
        "said": case.said,
    }


def _out(text: str) -> None:
    sys.stdout.write(printable(text) + "\n")
