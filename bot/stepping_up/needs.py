"""Whether people could give the yes that a policy wants of them: a rule that nobody can keep is refused."""

from __future__ import annotations

from approvals.model import Assurance
from approvals.policy import Policy
from bot.settings import Settings


def lacks(settings: Settings, policy: Policy) -> str | None:
    """What is missing for this policy; None: nothing."""
    if settings.mode != "enforce":
        return None
    needed = {
        Assurance.STEP_UP: ("APPROVALS_URL, SLACK_CLIENT_ID and SLACK_CLIENT_SECRET", settings.can_step_up),
        Assurance.KEY: ("APPROVALS_URL", settings.url is not None),
    }
    for level, (variables, is_set) in needed.items():
        if level in policy.assurances and not is_set:
            return f"the policy asks for `{level}`, which nobody could give here: set {variables}"
    return None
