"""Sentences that were made for Slack, for people who read them elsewhere."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>|<@([^>|]+)(?:\|([^>]*))?>")


def plain(sentence: str) -> str:
    """The sentence with Slack's tokens as their plain words."""
    told = _TOKEN.sub(lambda found: found[1] or found[3] or found[2] or "", sentence)
    return told.replace("`", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
