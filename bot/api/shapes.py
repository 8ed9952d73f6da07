"""What is sent to the API, as JSON or in an address: one dataclass for each.

The fields of what is asked are named as `submit`, `ask`, `escalate` and `review` name them. The document of
the API is made from these, and what doesn't fit them is turned away before anything looks at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter

from approvals.durations import LONGEST_S
from approvals.messages import TEXT_CHARS
from approvals.model import Args, Json, Risk, Status
from approvals.submitting import OPTION_CHARS, OPTIONS, REPLY_CHARS, TAG_CHARS, TAGS, URL_CHARS

T = TypeVar("T")

BATCH = 500  # requests at most
LONGEST_WAIT_S = 60
PAGE = 100

STRICT = ConfigDict(extra="forbid")

RequestIdText: TypeAlias = Annotated[str, Field(pattern=r"^R-[0-9A-HJKMNP-TV-Z]{26}$")]
PersonText: TypeAlias = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,40}$", description="A Slack user id")]
FingerprintText: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text: TypeAlias = Annotated[str, Field(max_length=TEXT_CHARS)]
Tool: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, description="What is to be called")]
Tags: TypeAlias = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=TAG_CHARS)], ...], Field(max_length=TAGS)
]
Deadline: TypeAlias = (
    Annotated[float, Field(ge=1, le=LONGEST_S, description="Seconds")]
    | Annotated[str, Field(pattern=r"^([0-9]{1,9}[smhdw])+$", description="Such as 30m or 4h")]
)
Reason: TypeAlias = Annotated[Text | None, Field(description="Why, for those who decide")]
OnBehalfOf: TypeAlias = Annotated[
    PersonText | None, Field(description="Whoever it is for, who then can't approve it")
]
Raised: TypeAlias = Annotated[Risk | None, Field(description="Raises what the policy says, never lowers it")]
Confidence: TypeAlias = Annotated[Annotated[float, Field(ge=0, le=1)] | None, Field()]
Schema: TypeAlias = Annotated[
    dict[str, Json] | None, Field(description="JSON Schema of the args: the form that people edit")
]
CallbackUrl: TypeAlias = Annotated[
    Annotated[str, Field(pattern=r"^https?://", max_length=URL_CHARS)] | None,
    Field(description="Is called when there is something to tell; its host is one that operators allow"),
]
Due: TypeAlias = Annotated[
    Deadline | None, Field(description="Shortens the policy's deadline, never lengthens it")
]


# -- what is sent -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What may be said of whatever is asked or told; the document shows these as fields of each."""

    __pydantic_config__ = STRICT

    reason: Reason = None
    on_behalf_of: OnBehalfOf = None
    risk: Raised = None
    confidence: Confidence = None
    tags: Tags = ()
    callback_url: CallbackUrl = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRequest(Wishes):
    """A call that needs approval."""

    tool: Tool
    args: Args
    schema: Schema = None
    deadline: Due = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReview(Wishes):
    """A call that has run already, for people to look at."""

    tool: Tool
    args: Args
    ok: bool = True
    result: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQuestion(Wishes):
    """A question that people answer: with one of the options, in words, or either."""

    question: Annotated[str, Field(min_length=1, max_length=TEXT_CHARS)]
    options: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=OPTION_CHARS)], ...], Field(max_length=OPTIONS)
    ] = ()
    context: Text | None = None
    free_text: bool | None = None
    many: Annotated[bool, Field(description="Several options may be chosen; the answer is JSON")] = False
    schema: Annotated[
        dict[str, Json] | None, Field(description="JSON Schema of a form; the answer is a JSON object")
    ] = None
    deadline: Due = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEscalation(Wishes):
    """A run that is stuck. The outcome's text is the guidance, or `I take over`: then stop."""

    summary: Annotated[str, Field(min_length=1, max_length=TEXT_CHARS)]
    context: Text | None = None
    transcript_url: Annotated[str, Field(pattern=r"^https?://", max_length=URL_CHARS)] | None = None
    deadline: Due = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """Requests that belong together: all are sent, or none."""

    __pydantic_config__ = STRICT

    requests: Annotated[tuple[NewRequest, ...], Field(min_length=1, max_length=BATCH)]
    reason: Reason = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    __pydantic_config__ = STRICT

    reason: Reason = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revise:
    """Other args in the place of what was asked; whoever had voted is asked again."""

    __pydantic_config__ = STRICT

    args: Args
    reason: Reason = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to what a person asked back; the request stays as it is."""

    __pydantic_config__ = STRICT

    text: Annotated[str, Field(min_length=1, max_length=REPLY_CHARS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """How the approved call went; of the result people see the beginning."""

    __pydantic_config__ = STRICT

    ok: bool
    result: Text | None = None
    duration_ms: Annotated[float, Field(ge=0, le=2**53 - 1)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """Whether it could be undone."""

    __pydantic_config__ = STRICT

    ok: bool
    text: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDecision:
    """What a person decided, of exactly the call that they saw."""

    __pydantic_config__ = STRICT

    person: PersonText
    decision: Literal["approve", "edit", "reject", "respond", "request_changes"]
    fingerprint: Annotated[FingerprintText, Field(description="Of the call that this person saw")]
    args: Annotated[Args | None, Field(description="edit: the args to approve instead")] = None
    note: Annotated[Text | None, Field(description="A note, the feedback, or the answer")] = None


# -- what is asked for in an address ------------------------------------------------------------------

Wait: TypeAlias = Annotated[
    float,
    Field(ge=0, le=LONGEST_WAIT_S, allow_inf_nan=False, description="Seconds to wait for an outcome"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    __pydantic_config__ = STRICT

    wait: Wait = 0
    after_round: Annotated[
        int, Field(ge=0, le=2**31, description="Wait past this round of changes that were requested")
    ] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    __pydantic_config__ = STRICT

    wait: Wait = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    __pydantic_config__ = STRICT

    status: Annotated[Status | None, Field(description="Only those that stand so")] = None
    limit: Annotated[int, Field(ge=1, le=PAGE)] = 50
    cursor: Annotated[RequestIdText | None, Field(description="What the page before called `next`")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    __pydantic_config__ = STRICT

    after: Annotated[
        int | None, Field(ge=0, le=2**53, description="A `seq`; Last-Event-ID goes before it")
    ] = None


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def adapter(shape: type[T]) -> TypeAdapter[T]:
    """What reads and writes a shape, made once."""
    if shape not in _ADAPTERS:
        _ADAPTERS[shape] = TypeAdapter(shape)
    return _ADAPTERS[shape]
