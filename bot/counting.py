"""What the service counts of itself: what the log tells, and how its calls of Slack end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from approvals.audit import DECISIONS, Entry
from approvals.counts import Counts
from approvals.events import Refused
from bot.slack_errors import word_of

DECIDED, REFUSED, SLACK_CALLS = "decisions", "refused", "slack_calls"
COUNTED: Mapping[str, tuple[str, tuple[str, ...]]] = {  # what each counts, and by which labels
    DECIDED: ("Requests that were decided, by people, rules or time", ("outcome", "via")),
    REFUSED: ("Attempts that were not let through", ("attempted", "via")),
    SLACK_CALLS: ("Calls of Slack's Web API", ("method", "result")),
}


def count(counts: Counts, entry: Entry) -> None:
    """Count what an entry of the log tells."""
    if entry.event in DECISIONS:
        counts.add(DECIDED, entry.event, entry.via)
    elif entry.event == Refused.word:
        counts.add(REFUSED, str((entry.detail or {}).get("attempted")), entry.via)


class CountedSlack(AsyncWebClient):
    """Slack's Web API, each call of which is counted by its method and how it ended."""

    def __init__(self, counts: Counts, **options: Any) -> None:
        super().__init__(**options)
        self._counts = counts

    async def api_call(self, api_method: str, **options: Any) -> AsyncSlackResponse:
        result = "ok"
        try:
            return await super().api_call(api_method, **options)
        except BaseException as error:
            result = word_of(error)
            raise
        finally:
            self._counts.add(SLACK_CALLS, api_method, result)
