"""The policy: which calls need whom, by when. A file becomes values; those and a call give terms. Pure."""

from approvals.policy.faults import Fault, PolicyFaults
from approvals.policy.parsing import parse
from approvals.policy.rules import DEFAULT, Facts, Policy, Rule, Settings, terms_for, why_unanswerable

__all__ = [
    "DEFAULT",
    "Facts",
    "Fault",
    "Policy",
    "PolicyFaults",
    "Rule",
    "Settings",
    "parse",
    "terms_for",
    "why_unanswerable",
]
