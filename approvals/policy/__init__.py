"""The policy: which calls need whom, by when. A file becomes values; those and a call give terms. Pure."""

from approvals.policy.agreeing import why_unanswerable
from approvals.policy.comparing import asks_otherwise, is_stricter, who_decides
from approvals.policy.deciding import (
    Match,
    Spend,
    candidates,
    rate_spend,
    shadowed,
    terms_for,
    too_fast,
)
from approvals.policy.faults import Fault, PolicyFaults
from approvals.policy.parsing import parse
from approvals.policy.rules import DEFAULT, Facts, Policy, Rule, Settings, Stage

__all__ = [
    "DEFAULT",
    "Facts",
    "Fault",
    "Match",
    "Policy",
    "PolicyFaults",
    "Rule",
    "Settings",
    "Spend",
    "Stage",
    "asks_otherwise",
    "candidates",
    "is_stricter",
    "parse",
    "rate_spend",
    "shadowed",
    "terms_for",
    "too_fast",
    "who_decides",
    "why_unanswerable",
]
