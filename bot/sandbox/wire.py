"""What crosses the wire between Slack and an app: JSON, Slack's way with text, and its errors."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]  # as it came or as it goes out; whoever touches it checks it

_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")


class SlackError(Exception):
    """A Web API method answers `ok: false` with `code`, and with `extra` beside it."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra


@dataclass(frozen=True, slots=True)
class Result:
    """What a person sees come of something they did.

    `error` is Slack's word for why it failed, `errors` are the messages on a dialog's fields, `notice`
    is the sentence that Slack flashes, `ts` the message they wrote, `channel` the conversation they opened.
    """

    ok: bool
    error: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    notice: str | None = None
    ts: str | None = None
    channel: str | None = None

    def to_json(self) -> Json:
        answer: Json = {"ok": self.ok}
        for name in ("error", "errors", "notice", "ts", "channel"):
            if value := getattr(self, name):
                answer[name] = value
        return answer


DONE = Result(ok=True)


def refused(error: str, notice: str | None = None, errors: dict[str, str] | None = None) -> Result:
    return Result(ok=False, error=error, errors=errors or {}, notice=notice)


def escape(text: str) -> str:
    """The three characters that mean something in Slack's text, made harmless."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def as_returned(node: Any) -> Any:
    """Blocks as Slack gives them back: plain text escaped, text objects with their defaults spelled out.

    Apps that compare the text of a button with what they sent are wrong on real Slack, for this reason
    (slackapi/bolt-python#513).
    """
    if isinstance(node, list):
        return [as_returned(item) for item in node]
    if not isinstance(node, dict):
        return node
    kind = node.get("type")
    if kind == "plain_text" and isinstance(node.get("text"), str):
        return {"emoji": True, **node, "text": escape_once(node["text"])}
    if kind == "mrkdwn":
        return {"verbatim": False, **node}
    return {
        key: as_returned(value) if isinstance(value, dict | list) else value for key, value in node.items()
    }


def escape_once(text: str) -> str:
    """Escape what is not escaped yet."""
    if "&" not in text and "<" not in text and ">" not in text:
        return text
    return _BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def new_id(prefix: str) -> str:
    """An id such as Slack makes, unlike any made before, also before a restart."""
    return prefix + secrets.token_hex(5).upper()
