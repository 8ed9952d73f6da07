"""The page that tells an auditor of each decision: who asked, exactly what, who approved, what ran."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from approvals.audit import Entry, is_erased
from approvals.model import Json
from blocks.text import reveal

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d1c1d }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0 }
th { width: 9rem; font-weight: 600; color: #555 } pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
section { break-inside: avoid; border-top: 1px solid #ddd }
"""  # noqa: E501 - rules of a style sheet
_HOW = (
    "Check it with <code>countersign audit verify FOLDER --key KEY</code>, with a key that you know from"
    " elsewhere than this folder. docs/audit.md tells how to do so without our program."
)
_RAN = ("executed", "failed", "lapsed", "withdrawn")
_NEW_ARGS = ("submitted", "revised", "edited", "redirected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One request, as its entries tell it."""

    request: str
    rows: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Decision:
        asked = entries[0]
        call = [entry for entry in entries if entry.event in _NEW_ARGS and entry.args is not None]
        voices = [entry for entry in entries if entry.actor.startswith("slack:") or entry.event == "voted"]
        ran = [entry for entry in entries if entry.event in _RAN]
        decided = voices[-1] if voices else entries[-1]
        exactly = call[-1].args if call else None
        rows = [
            ("asked by", f"{_who(asked)}, {_when(asked)}"),
            ("tool", decided.tool or "none"),
            ("exactly", _shown(exactly) if exactly is not None else _nothing(entries)),
            ("fingerprint", decided.fingerprint or ""),
            *((f"{entry.event} by", f"{_who(entry)}, {_when(entry)}, by {entry.via}") for entry in voices),
            ("rule", f"{decided.rule}, policy version {decided.policy}"),
            ("what ran", "; ".join(_told(entry) for entry in ran) or "nothing"),
            ("signed", "yes" if any("receipt" in (entry.detail or {}) for entry in entries) else "no"),
            ("entries", ", ".join(str(entry.seq) for entry in entries)),
        ]
        return cls(request=asked.request, rows=tuple(rows))


def _nothing(entries: Sequence[Entry]) -> str:
    return "erased" if any(is_erased(entry) for entry in entries) else "no arguments"


def _who(entry: Entry) -> str:
    name = (entry.detail or {}).get("by")
    return f"{name} ({entry.actor})" if name else entry.actor


def _when(entry: Entry) -> str:
    return f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"


def _told(entry: Entry) -> str:
    text = (entry.detail or {}).get("text")
    return f"{entry.event}, {_when(entry)}" + (f": {text}" if text else "")


def _day(at: object) -> str:
    return str(at).removesuffix("T00:00:00.000000Z")


def _shown(args: Json) -> str:
    return json.dumps(args, indent=2, ensure_ascii=False)


def summary(about: Mapping[str, object], checkpoint: str, decisions: Sequence[Decision]) -> str:
    """The page. Other people's words are text in it, and nothing else."""
    parts = [
        f"<!doctype html><meta charset=utf-8><title>Decisions for audit</title><style>{_STYLE}</style>",
        f"<h1>{len(decisions)} of {about['decisions']} decisions,"
        f" {_day(about['from'])} to {_day(about['to'])}</h1>",
        f"<p>Tenant {escape(str(about['tenant']))}. Chosen by the seed <code>{escape(str(about['seed']))}"
        f"</code>. {_HOW}</p><pre>{escape(checkpoint)}</pre>",
    ]
    for each in decisions:
        rows = "".join(
            f"<tr><th>{escape(name)}<td><pre>{escape(reveal(value)[0])}</pre>" for name, value in each.rows
        )
        parts.append(f"<section><h2>{escape(each.request)}</h2><table>{rows}</table></section>")
    return "\n".join(parts) + "\n"
