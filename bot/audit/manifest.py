"""What goes with an export: from where to where, its hash, and the checkpoint over it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from approvals.merkle import Frontier
from bot.audit.lines import NotALog

FORMAT = "countersign audit export, version 1"
SUFFIX = ".manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    format: str = FORMAT
    tenant: str
    written_as: str  # jsonl, csv, otlp
    first: int
    last: int  # one less than `first`: there was nothing
    sha256: str  # of the content
    made_at: str
    made_by: str
    before: tuple[str, ...] | None  # the tree's full subtrees over what came before, in hex; None: unknown
    checkpoint: str | None  # the newest; None: there is none yet
    keys: tuple[
        str, ...
    ]  # that sign checkpoints, as the service named them; believe those you know otherwise

    @property
    def text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"

    @property
    def edge(self) -> Frontier | None:
        """The tree over what came before.

        Raises:
            NotALog: it is none.
        """
        if self.before is None:
            return None
        try:
            return Frontier(self.first - 1, [bytes.fromhex(node) for node in self.before])
        except ValueError as error:
            raise NotALog(f"the manifest's `before` is wrong: {error}") from error


def nodes(edge: Frontier | None) -> tuple[str, ...] | None:
    return None if edge is None else tuple(node.hex() for node in edge.nodes)


def beside(path: Path) -> Path:
    """Where the manifest of a file is."""
    return path.with_name(path.name + SUFFIX)


def read(path: Path) -> Manifest:
    """Read one.

    Raises:
        NotALog: it is none.
        OSError: it can't be read.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        found |= {name: _texts(found[name]) for name in ("before", "keys")}
        manifest = Manifest(**found)
    except (ValueError, TypeError, KeyError) as error:
        raise NotALog(f"{path} is no manifest of an export: {error}") from error
    if manifest.format != FORMAT:
        raise NotALog(f"{path} is {manifest.format!r}; this version reads {FORMAT!r}")
    return manifest


def _texts(values: Sequence[object] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(str(value) for value in values)
