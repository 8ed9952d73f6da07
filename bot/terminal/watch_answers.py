"""Questions in `countersign watch`: what can be answered, and what was typed as an answer. Pure."""

from __future__ import annotations

import json

from approvals.errors import InvalidCall
from approvals.model import Request
from approvals.questions import is_form, is_many, takes
from blocks.question import answer_at, question_of


def choices(request: Request) -> list[str]:
    """The options as they are shown, in the order in which they are numbered."""
    return [words for _, words in question_of(request).options]


def answers(request: Request) -> list[str]:
    """The same, letter by letter."""
    return [answer_at(request, index) or "" for index, _ in question_of(request).options]


def one_key(request: Request, key: str) -> str | None:
    """The answer that a single key gives: an option by its number."""
    options = [] if is_many(request) else answers(request)
    if key.isdecimal() and 1 <= int(key) <= min(len(options), 9):
        return options[int(key) - 1]
    return None


def listed(request: Request) -> str:
    """The options with their numbers, below the question."""
    return "".join(f"\n  {number}  {words}" for number, words in enumerate(choices(request), 1))


def prompt(request: Request) -> str:
    """What is asked of who types the answer in a line."""
    if is_many(request):
        return "Which? (numbers, with commas between them; empty: none is sent) "
    if not choices(request):
        return "Your answer: (empty: none is sent) "
    words = ", or words" if question_of(request).free_text else ""
    return f"Which? (a number{words}; empty: none is sent) "


def form(request: Request) -> str:
    """What is edited to fill in a form: its fields, all empty."""
    fields = (request.schema or {}).get("properties")
    names = list(fields) if isinstance(fields, dict) else []
    return json.dumps(dict.fromkeys(names), indent=2, ensure_ascii=False)


def read(request: Request, typed: str) -> str:
    """The answer that was meant.

    Raises:
        InvalidCall: it can't be answered like that.
    """
    text, options = typed.strip(), answers(request)
    if is_many(request):
        text = json.dumps([_of_number(one.strip(), options) for one in text.split(",")])
    elif is_form(request):
        text = _filled_in(text)
    elif text.isdecimal() and 1 <= int(text) <= len(options):
        text = options[int(text) - 1]
    if not takes(request, text):
        raise InvalidCall("that is no answer to it")
    return text


def _of_number(number: str, options: list[str]) -> str:
    if not number.isdecimal() or not 1 <= int(number) <= len(options):
        raise InvalidCall(f"{number[:40]!r} is the number of no option")
    return options[int(number) - 1]


def _filled_in(text: str) -> str:
    """Without the fields that were left empty."""
    try:
        filled = json.loads(text)
    except ValueError as error:
        raise InvalidCall(f"it is no JSON: {error}") from error
    if not isinstance(filled, dict):
        raise InvalidCall("a form is a JSON object")
    return json.dumps({name: value for name, value in filled.items() if value is not None})
