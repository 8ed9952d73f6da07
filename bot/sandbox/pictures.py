"""Pictures that blocks take from uploaded files, and which of them Slack would show.

https://docs.slack.dev/reference/block-kit/composition-objects/slack-file-object
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.sandbox.model import File
from bot.sandbox.wire import Json, SlackError
from bot.sandbox.world import World

SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/gif"})
_ID = re.compile(r"/(F[A-Z0-9]+)/")  # in `url_private` and in a permalink


def problems_of_pictures(world: World, blocks: object) -> list[str]:
    """The files that blocks name and Slack would not show, in its words."""
    return [
        f"invalid slack file [json-pointer:{at}]"
        for at, named in _named(blocks, "/blocks")
        if not _is_shown(world, named)
    ]


def require_pictures(world: World, blocks: object) -> None:
    """Raises: SlackError, as the chat methods answer."""
    if problems := problems_of_pictures(world, blocks):
        messages = [f"[ERROR] {problem}" for problem in problems]
        raise SlackError("invalid_blocks", errors=problems, response_metadata={"messages": messages})


def _named(node: object, at: str) -> Iterator[tuple[str, Json]]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _named(item, f"{at}/{index}")
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "slack_file" and isinstance(value, dict):
                yield f"{at}/slack_file", value
            else:
                yield from _named(value, f"{at}/{key}")


def _is_shown(world: World, named: Json) -> bool:
    """Exactly one of id and address, of a picture that has arrived."""
    if ("id" in named) == ("url" in named):
        return False
    file = file_named(world, named)
    return file is not None and file.uploaded and file.mimetype in SHOWN_TYPES


def file_named(world: World, named: Json) -> File | None:
    found = _ID.search(str(named.get("url", "")))
    return world.workspace.files.get(str(named.get("id") or (found[1] if found else "")))
