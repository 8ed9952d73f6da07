"""What a developer writes, made into a submission: checked here, so that faults show where they were made."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeAlias, TypedDict, Unpack

from approvals.canonical import check_tool, fingerprint
from approvals.durations import LONGEST_S, parse_duration
from approvals.errors import InvalidCall
from approvals.ids import is_id, new_id
from approvals.messages import TEXT_CHARS, Submission
from approvals.model import I_TAKE_OVER, QUESTION_TOOL, Args, Json, Kind, PersonId, RequestId, Risk
from approvals.questions import MANY
from approvals.schema import check_schema

Span: TypeAlias = float | timedelta | str  # seconds, or as `30m`

KEY_CHARS = 500
TAGS = 20
TAG_CHARS = 60
OPTIONS = 100  # of a question; more than that is no list to choose from
REPLY_CHARS = 1000  # of a reply to what a person has asked back: cards show all of it
URL_CHARS = 2000
OPTION_CHARS = 300
_SLACK_ID = re.compile(r"[UW][A-Z0-9]{2,40}")


class About(TypedDict, total=False):
    """What may be said of a question, and of any request."""

    reason: str | None  # why it is wanted, for those who decide
    key: str | None  # the same key from the same agent is the same request
    on_behalf_of: str | None  # the Slack id of whoever it is for, who then can't approve it
    risk: Risk | str | None  # low, medium, high, critical: raises what the policy says, never lowers it
    confidence: float | None  # from 0 to 1
    tags: Sequence[str]
    deadline: Span | None  # shortens the policy's, never lengthens it
    callback_url: str | None  # is called with what there is to tell; its host is one that operators allow


class Options(About, total=False):
    """What may be said of a call."""

    schema: dict[str, Json] | None  # JSON Schema of the args: the form that people edit


def submission(
    tool: str,
    args: Args,
    *,
    kind: Kind = Kind.ACTION,
    batch: str | None = None,
    ok: bool = True,
    result: str | None = None,
    **options: Unpack[Options],
) -> Submission:
    """Make a submission with an id of its own.

    Raises:
        InvalidCall: something in it can't be asked for as it is.
    """
    if not isinstance(tool, str):
        raise InvalidCall(f"a tool's name is text, not {type(tool).__name__}")
    check_tool(tool)
    schema = options.get("schema")
    if schema is not None:
        check_schema(schema)
    return Submission(
        id=new_id(),
        tool=tool,
        args=own_args(args),
        kind=kind,
        reason=text_of("reason", options.get("reason")),
        on_behalf_of=_person(options.get("on_behalf_of")),
        risk=_risk(options.get("risk")),
        confidence=_confidence(options.get("confidence")),
        tags=_tags(options.get("tags", ())),
        schema=None if schema is None else json.loads(json.dumps(schema)),
        deadline_s=_deadline(options.get("deadline")),
        batch=batch,
        callback_url=_callback_url(options.get("callback_url")),
        ok=ok,
        result=result,
    )


def question_args(
    question: str,
    options: Sequence[str] | None,
    context: str | None,
    free_text: bool | None,
    *,
    many: bool = False,
    schema: object = None,
) -> Args:
    """The args of a question, which is answered with an option, in words, or either; or with `many`.

    With a `schema` a form is filled in instead.
    """
    if schema is not None and (options or many or free_text is not None):
        raise InvalidCall("a question has a form, or options and words, but not both")
    if not (text_of("question", question) or "").strip():
        raise InvalidCall("a question needs words")
    chosen = _choices(options)
    is_free = not chosen if free_text is None else free_text
    if not chosen and not is_free:
        raise InvalidCall("a question without options must be answered in words: leave free_text as it is")
    args: Args = {"question": question, "options": list(chosen), "free_text": is_free and schema is None}
    if many:
        if not chosen or is_free:
            raise InvalidCall("many=True is for questions with options, and without free_text")
        args[MANY] = True
    return args if context is None else args | {"context": text_of("context", context)}


def _choices(options: Sequence[str] | None) -> list[str]:
    if isinstance(options, str):
        raise InvalidCall("options is a list of texts, not one text")
    chosen = list(options or ())
    if len(chosen) > OPTIONS:
        raise InvalidCall(f"a question has {OPTIONS} options at most, not {len(chosen)}")
    for option in chosen:
        if not (text_of("an option", option, OPTION_CHARS) or "").strip():
            raise InvalidCall("an option needs words")
    if len(set(chosen)) < len(chosen):
        raise InvalidCall("two options are the same")
    return chosen


def escalation_args(summary: str, context: str | None, transcript_url: str | None) -> Args:
    """The args of the question that hands a stuck run to people."""
    args = question_args(summary, [I_TAKE_OVER], context, free_text=True)
    url = text_of("transcript_url", transcript_url, URL_CHARS)
    if url is None:
        return args
    if not url.startswith(("https://", "http://")):
        raise InvalidCall("transcript_url is the address of a page, beginning with https://")
    return args | {"transcript": url}


def own_args(args: Args) -> Args:
    """A copy that the caller can't change any more, once it is known to be JSON."""
    fingerprint(QUESTION_TOOL, args)  # for its checks, of the size too
    copy: Args = json.loads(json.dumps(args))
    return copy


def own_id(request_id: object) -> RequestId:
    """A whole id; agents have no prefixes, as they can't look up what isn't theirs.

    Raises:
        InvalidCall: it is none.
    """
    if not isinstance(request_id, str) or not is_id(request_id):
        raise InvalidCall(f"{str(request_id)[:60]!r} is no request id; it is R- and 26 letters")
    return RequestId(request_id)


def text_of(name: str, text: str | None, chars: int = TEXT_CHARS) -> str | None:
    """A text that can be carried, or None.

    Raises:
        InvalidCall: it is no text, too long, or holds half a character.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidCall(f"{name} is text, not {type(text).__name__}")
    if len(text) > chars:
        raise InvalidCall(f"{name} has {len(text):,} characters; at most {chars:,} are accepted")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidCall(f"{name} holds half a character (a lone surrogate)") from error
    return text


def key_of(key: str | None) -> str | None:
    if key == "":
        raise InvalidCall("key is empty; leave it out, or say what makes this request the same one")
    return text_of("key", key, KEY_CHARS)


def seconds_of(name: str, span: Span | None) -> float | None:
    """A span in seconds; None: without end.

    Raises:
        InvalidCall: it is none.
    """
    if span is None:
        return None
    if isinstance(span, str):
        try:
            return parse_duration(span)
        except ValueError as error:
            raise InvalidCall(f"{name}: {error}") from error
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if not _is_number(seconds):
        raise InvalidCall(f"{name} is seconds, a timedelta, or text such as '30m', not {span!r:.60}")
    if not 0 <= seconds < math.inf:
        raise InvalidCall(f"{name} is {span!r:.60}; it can't be negative, and without end it is None")
    return seconds


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _deadline(span: Span | None) -> int | None:
    seconds = seconds_of("deadline", span)
    if seconds is None:
        return None
    if not 1 <= seconds <= LONGEST_S:
        raise InvalidCall(f"deadline is {span!r:.60}; it is from a second to a year away, or None")
    return math.ceil(seconds)


def _person(person: object) -> PersonId | None:
    if person is None:
        return None
    if not isinstance(person, str) or not _SLACK_ID.fullmatch(person):
        raise InvalidCall(f"on_behalf_of is {person!r:.60}; it takes a Slack id such as U012ABCDEF")
    return PersonId(person)


def _risk(risk: Risk | str | None) -> Risk | None:
    try:
        return None if risk is None else Risk(risk)
    except ValueError as error:
        raise InvalidCall(f"risk is {risk!r:.60}; it is one of {', '.join(Risk)}") from error


def _confidence(confidence: float | None) -> float | None:
    if confidence is None:
        return None
    if not _is_number(confidence) or not 0 <= confidence <= 1:
        raise InvalidCall(f"confidence is {confidence!r:.60}; it is a number from 0 to 1")
    return float(confidence)


def _callback_url(url: str | None) -> str | None:
    told = text_of("callback_url", url, URL_CHARS)
    if told is not None and not told.startswith(("https://", "http://")):
        raise InvalidCall("callback_url is where to call this agent, beginning with https://")
    return told


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise InvalidCall("tags is a list of texts, not one text")
    if len(tags) > TAGS:
        raise InvalidCall(f"a request has {TAGS} tags at most, not {len(tags)}")
    for tag in tags:
        if not text_of("a tag", tag, TAG_CHARS):
            raise InvalidCall("a tag needs words")
    return tuple(tags)
