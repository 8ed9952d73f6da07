"""What was measured, as a table for a terminal, as Markdown, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.times import Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One kind of wait, with few and with many requests pending; its p50 is compared with `beside`'s."""

    what: str
    few: Times
    many: Times | None = None  # where nothing of ours is involved the backlog makes no difference
    beside: str | None = None
    aim_ms: float | None = None

    @property
    def growth(self) -> float | None:
        return None if self.many is None else self.many.p50_ms / self.few.p50_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One figure that is no wait."""

    what: str
    value: float
    digits: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A call in some framework, without a gate and with one that lets it through."""

    what: str
    bare: Times
    gated: Times

    @property
    def more_us(self) -> float:
        return (self.gated.p50_ms - self.bare.p50_ms) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    machine: str
    few: int
    many: int
    latencies: list[Latency]
    costs: list[Cost]
    gated: list[Gated]

    def show(self) -> None:
        """Print the tables and the machine."""
        console = Console(width=None if Console().is_terminal else 120)
        for title, head, rows in self._tables():
            table = Table(title=title, title_justify="left")
            for index, name in enumerate(head):
                table.add_column(name, justify="left" if index in (0, len(head) - 1) else "right")
            for row in rows:
                table.add_row(*row)
            console.print(table)
        console.print(self.machine, highlight=False)

    def markdown(self) -> str:
        parts = [f"Measured on: {self.machine}."]
        for title, head, rows in self._tables():
            rule = ["---:"] * len(head)
            rule[0] = rule[-1] = "---"
            lines = ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)]
            parts.append("\n".join([f"**{title}**", "", *lines]))
        return "\n\n".join(parts)

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "pending": [self.few, self.many],
            "latencies_ms": [
                {
                    "what": each.what,
                    "few": _pair(each.few),
                    "many": _pair(each.many) if each.many else None,
                    "growth": each.growth,
                    "beside": each.beside,
                    "ratio": self._ratio(each),
                    "aim": each.aim_ms,
                }
                for each in self.latencies
            ],
            "costs": [{"what": each.what, "value": each.value, "note": each.note} for each in self.costs],
            "gated_ms": [
                {"what": each.what, "bare": _pair(each.bare), "gated": _pair(each.gated)}
                for each in self.gated
            ],
        }

    def _tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        few, many = f"{self.few:,} pending", f"{self.many:,} pending"
        head = ["in ms", f"{few}: p50", "p99", f"{many}: p50", "p99", "growth", "ratio, aim"]
        latencies = [self._latency_row(each) for each in self.latencies]
        costs = [[each.what, f"{each.value:,.{each.digits}f}", each.note] for each in self.costs]
        gated_head = ["in µs", "bare", "gated: p50", "p99", "more", "beside the first row"]
        return [
            ("Latency", head, latencies),
            ("Cost", ["", "figure", "of that"], costs),
            ("A call that a rule allows", gated_head, [self._gated_row(each) for each in self.gated]),
        ]

    def _gated_row(self, row: Gated) -> list[str]:
        figures = (row.bare.p50_ms, row.gated.p50_ms, row.gated.p99_ms)
        return [
            row.what,
            *(f"{milliseconds * 1000:,.0f}" for milliseconds in figures),
            f"{row.more_us:,.0f}",
            f"{row.more_us / self.gated[0].more_us:.1f} ×",
        ]

    def _latency_row(self, row: Latency) -> list[str]:
        many = [_ms(row.many.p50_ms), _ms(row.many.p99_ms)] if row.many else ["", ""]
        growth, ratio = row.growth, self._ratio(row)
        compared = "" if ratio is None else f"{ratio:.1f} × {row.beside}"
        aim = "" if row.aim_ms is None else f"aim: p50 ≤ {row.aim_ms:g}"
        return [
            row.what,
            *(_ms(row.few.p50_ms), _ms(row.few.p99_ms), *many),
            "" if growth is None else f"{growth:.2f}",
            "; ".join(filter(None, (compared, aim))),
        ]

    def _ratio(self, row: Latency) -> float | None:
        bare = next((each for each in self.latencies if each.what.strip() == row.beside), None)
        return None if bare is None else row.few.p50_ms / bare.few.p50_ms


def _pair(times: Times) -> dict[str, float]:
    return {"p50": round(times.p50_ms, 3), "p99": round(times.p99_ms, 3), "n": len(times.seconds)}


def _ms(value: float) -> str:
    return f"{value:.2f}"
