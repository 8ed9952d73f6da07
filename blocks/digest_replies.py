"""What we say to one person who clicked in a digest. Mrkdwn, for them alone."""

from __future__ import annotations

NO_DIGEST = "This digest is no longer kept. What still waits is on the Home tab."
NOT_YOURS = "This digest is not for you, so nothing was decided."
NOT_AS_SHOWN = "These are not the rows that this digest has, so nothing was decided. Look at it again."
NONE_LEFT = "None of these rows can be decided together any more. Look at the digest again."
GONE = "This request has been forgotten."
CHANGED = "This row has changed since it was drawn, so nothing was decided. It is shown anew."
MUST_BE_OPENED = "This one must be opened before it is decided."
WORKING = "They are being decided. This list is drawn again when they are."
NO_OPEN_DIGEST = "No digest waits in this channel."


def passed_over(over: int, others: int) -> str:
    """Which rows a walk has not stopped at: `over` are decided already, `others` are for others."""
    told = []
    if over:
        told.append("1 is decided already" if over == 1 else f"{over:,} are decided already")
    if others:
        told.append("1 is for others" if others == 1 else f"{others:,} are for others")
    return f"Passed over: {', '.join(told)}." if told else ""
