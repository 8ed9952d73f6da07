"""Whether people could give the yes that a policy wants of them: a rule that nobody can keep is refused."""

from __future__ import annotations

from approvals.model import Assurance
from approvals.policy import Policy
from bot.settings import Settings

NEEDED = "APPROVALS_URL, SLACK_CLIENT_ID and SLACK_CLIENT_SECRET"


def lacks(settings: Settings, policy: Policy) -> str | None:
    """What is missing for this policy; None: nothing."""
    if settings.mode != "enforce" or policy.assurances <= {Assurance.CLICK} or settings.can_step_up:
        return None
    return f"the policy asks for `step-up`, which nobody could give here: set {NEEDED}"
