"""What a failed call of Slack's Web API failed of, in one word."""

from __future__ import annotations

from slack_sdk.errors import SlackApiError


def word_of(error: BaseException) -> str:
    """Slack's own word ("channel_not_found"), or "http_500" where a proxy answered in its stead."""
    if not isinstance(error, SlackApiError):
        return type(error).__name__
    answer = getattr(error.response, "data", error.response)
    if isinstance(answer, dict):
        return str(answer.get("error"))
    return f"http_{getattr(error.response, 'status_code', 0)}"
