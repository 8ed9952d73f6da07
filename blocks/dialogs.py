"""The dialogs of a request but for the edit form: read all, details, and those that ask for words."""

from __future__ import annotations

from approvals.model import Request
from blocks import ids
from blocks.action import headline
from blocks.pieces import View, asked, dialog, header, writing
from blocks.request import about
from blocks.text import name


def reject_view(request: Request) -> View:
    """Ask why not. The words are optional, and go to the agent."""
    blocks = [
        header(headline(request)),
        about(request),
        asked(
            ids.WORDS,
            "Why not?",
            writing(lines=True),
            hint=f"{name(request.agent)} gets these words, and can act on them.",
            optional=True,
        ),
    ]
    return dialog(ids.REJECT, "Reject", blocks, metadata=ids.pack(request), submit="Reject")
