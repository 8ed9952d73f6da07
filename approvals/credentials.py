"""What a credential looks like: shapes that are one wherever they stand, so that people need not see them.

Only the secret's own part of a text is found: of `postgres://bot:pass@db/x` the password, of a header what
follows `Bearer`. It is there for accidents: who wants to pass a secret by it only has to write it backwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKENS = (
    # Each begins as nothing else does, so it counts even where a letter stands before it.
    r"gh[pousr]_[A-Za-z0-9]{30,255}",  # GitHub
    r"github_pat_\w{22,255}",
    r"glpat-[\w-]{20,}",  # GitLab
    r"xox[a-z](?:\.xox[a-z])?-[\w-]{10,}",  # Slack
    r"xapp-\d-[\w-]{10,}",
    r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*(?:\.[\w-]+){0,2}",  # JWT, JWS and JWE
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,}",  # Stripe
    r"whsec_[A-Za-z0-9+/=]{16,}",
    r"AIza[\w-]{35}",  # Google
    r"GOCSPX-[\w-]{20,}",
    r"ya29\.[\w-]{20,}",
    r"cs~[\w.@-]{1,128}~[\w-]{20,}",  # our own, of agents that come by HTTP
    r"pypi-AgEI[\w-]{40,}",
    r"dop_v1_[a-f0-9]{64}",  # DigitalOcean
    r"AGE-SECRET-KEY-1[A-Z0-9]{50,}",
    # These could end a word.
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",  # AWS
    r"(?<![\w-])sk-(?=[A-Za-z_-]*\d)[\w-]{20,}",  # OpenAI, Anthropic and others
    r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}",
    r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"(?<![A-Za-z0-9])hvs\.[\w-]{24,}",  # HashiCorp Vault
    r"(?<![A-Za-z0-9])SG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
)
_BEGINNINGS = (
    *(
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "glpat-",
        "xox",
        "xapp-",
        "eyj",
        "k_live_",
        "k_test_",
    ),
    *(
        "whsec_",
        "aiza",
        "gocspx-",
        "ya29.",
        "cs~",
        "pypi-",
        "dop_v1_",
        "age-secret-key-",
        "akia",
        "asia",
        "abia",
    ),
    *("acca", "sk-", "npm_", "hf_", "hvs.", "sg."),
)
_NO_PLACEHOLDER = r"(?![$<{*%‹])"  # `$TOKEN` and `<your password>` tell where a secret goes, and are none
_NAMES = (
    r"password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key"
    r"|account[_-]?key|private[_-]?key"
)
# Each with texts in lower case, one of which is in whatever has this shape: most texts are through with that.
_SHAPES = (
    (
        ("private key",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----"
            r"[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----|\Z)"
        ),
    ),
    (_BEGINNINGS, re.compile("|".join(_TOKENS))),
    (("hooks.slack",), re.compile(r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/]+/(\w{16,})")),
    # `https://user:pass@host`: the last @ before the path ends the password.
    (("://",), re.compile(rf"://[^\s/:@?#]*:{_NO_PLACEHOLDER}([^\s/?#]+)@(?=[\w\[])")),
    # A word may follow `Basic` in a sentence; what mixes cases or holds digits is none.
    (
        ("bearer", "basic", "authorization"),
        re.compile(
            r"(?i:\b(?:Bearer|Basic)[ ]+|\bauthorization[\"']?\s*[:=]\s*[\"']?(?:(?:token|apikey)[ ]+)?+)"
            r"(?=[^\s\"',;]*?(?:[0-9=]|[a-z][A-Z]))([A-Za-z0-9._~+/=-]{8,})"
        ),
    ),
    # `--password=…`, `API_TOKEN=…`, `"secret": "…"` within a text. No file is meant, which begins with / or .
    (
        ("pass", "pwd", "secret", "token", "key"),
        re.compile(
            rf"(?i:(?:{_NAMES})(?:=|[\"']\s*:\s*)[\"']?)"
            + _NO_PLACEHOLDER
            + r"(?![/.~\"'])([^\s\"'&,;)}|<>]{6,})"
        ),
    ),
)
_DIGITS = re.compile(r"\d(?<![\w.+-]\d)(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12}"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|3(?:0[0-5]|[68]\d)\d{11}"  # Diners Club
)
_LEAST_CHARS = 8  # no shape is shorter than what leads to it and the secret together


def spans(text: str) -> list[tuple[int, int]]:
    """Where credentials stand in a text: from and until, in order, none within another."""
    if len(text) < _LEAST_CHARS:
        return []
    found: list[tuple[int, int]] = []
    for start, end in sorted(_found(text)):
        if found and start < found[-1][1]:  # of two that overlap both go
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _found(text: str) -> Iterator[tuple[int, int]]:
    lower = text.lower()
    for hints, shape in _SHAPES:
        if not any(hint in lower for hint in hints):
            continue
        for match in shape.finditer(text):
            yield match.span(1 if shape.groups else 0)
    for match in _DIGITS.finditer(text):
        if is_card(re.sub("[ -]", "", match[0])):
            yield match.span()


def is_card(digits: str) -> bool:
    """Whether it is the number of a payment card: of a known issuer, with a check digit that fits (Luhn)."""
    if not _ISSUERS.fullmatch(digits):
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(one if one < 10 else one - 9 for one in doubled) % 10 == 0
