"""What counts as the answer to a question, and what its agent gets of it. Pure.

An answer is a text. Where several options may be chosen it is their list as JSON; where a form is filled in,
an object as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from approvals.canonical import check
from approvals.errors import InvalidCall
from approvals.fitting import misfit
from approvals.model import I_TAKE_OVER, Json, Kind, Request, Status

MANY = "many"  # the argument that says so


def is_many(request: Request) -> bool:
    """Whether several of its options may be chosen."""
    return request.kind is Kind.QUESTION and request.args.get(MANY) is True and bool(_options(request.args))


def is_form(request: Request) -> bool:
    """Whether it is answered by filling in a form."""
    return request.kind is Kind.QUESTION and request.schema is not None and not _options(request.args)


def takes(request: Request, text: str) -> bool:
    """Whether a person may answer it like this. Instead of an action anything may be said."""
    if request.kind is not Kind.QUESTION or text == I_TAKE_OVER:
        return True
    options = _options(request.args)
    if is_form(request):
        found = _parsed(text)
        return isinstance(found, dict) and misfit(found, request.schema) is None
    if is_many(request):
        found = _parsed(text)
        return (
            isinstance(found, list)
            and 0 < len(set(map(str, found))) == len(found) <= len(options)
            and all(one in options for one in found)
        )
    # A question that names no options is open to any words: else nobody could ever answer it.
    return bool(request.args.get("free_text")) or not options or text in options


def answer(text: str, *, is_json: bool) -> Json:
    """What an agent gets: the words, or what was chosen or filled in."""
    return json.loads(text) if is_json else text


def is_taken_over(request: Request) -> bool:
    """Whether a person goes on in the agent's place."""
    decision = request.decision
    return request.kind is Kind.QUESTION and decision is not None and decision.text == I_TAKE_OVER


def answer_to(request: Request) -> Json:
    """What its agent gets of a question that was answered; None: nothing, or that a person has taken over."""
    decision = request.decision
    if request.kind is not Kind.QUESTION or decision is None or request.status is not Status.ANSWERED:
        return None
    if decision.text is None or is_taken_over(request):
        return None
    return answer(decision.text, is_json=is_many(request) or is_form(request))


def _options(args: Mapping[str, Json]) -> list[Json]:
    options = args.get("options")
    return options if isinstance(options, list) else []


def _parsed(text: str) -> Json:
    try:
        found: Json = json.loads(text)
        check({"answer": found})
    except (ValueError, RecursionError, InvalidCall):
        return None
    return found
