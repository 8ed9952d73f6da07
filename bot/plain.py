"""Sentences that were made for Slack, for people who read them elsewhere."""

from __future__ import annotations

import re

_LINK = re.compile(r"<(https?://[^|>]+)\|([^>]*)>")
_TOKEN = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>|<@([^>|]+)(?:\|([^>]*))?>")


def plain(sentence: str) -> str:
    """The sentence with Slack's tokens as their plain words."""
    told = _LINK.sub(r"\2 (\1)", sentence)
    told = _TOKEN.sub(lambda found: found[1] or found[3] or found[2] or "", told)
    return told.replace("`", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
