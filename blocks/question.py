"""A question as its agent put it: read from the args, of which nothing can be taken for granted."""

from __future__ import annotations

import json
from dataclasses import dataclass

from approvals.events import ChangesRequested, Revised
from approvals.masking import shown_args, spoken
from approvals.model import ESCALATION_TOOL, Args, Json, Request, TrailLine
from approvals.questions import MANY, is_form, is_many
from blocks import ids
from blocks.call import Shown, call_text
from blocks.pieces import Block, button, option, select
from blocks.text import OPTION_CHARS, name, one_line, reveal

BUTTONS = 5
BUTTON_WORDS_CHARS = 40  # a longer option is told in full above, and is chosen from the menu
MENU = 100  # reference/block-kit/block-elements/select-menu-element


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    text: str
    context: str
    options: tuple[tuple[int, str], ...]  # each with its place in the args
    free_text: bool
    in_dialog: bool  # several options may be chosen, or a form is to be filled in
    rest: Args  # what else is in the args, which is shown as it is

    @property
    def fits_menu(self) -> bool:
        return 0 < len(self.options) <= MENU and not self.in_dialog

    @property
    def fits_buttons(self) -> bool:
        return 0 < len(self.options) <= BUTTONS and not self.needs_list and not self.in_dialog

    @property
    def needs_list(self) -> bool:
        """Whether some option can't be told in full on its button."""
        return any(_label(words) != words or len(words) > BUTTON_WORDS_CHARS for _, words in self.options)

    @property
    def may_be_written(self) -> bool:
        return self.free_text or len(self.options) > MENU or self.in_dialog


def question_of(request: Request) -> Question:
    args = dict(shown_args(request))
    text, context = _text(args.pop("question", "")), _text(args.pop("context", None))
    listed = args.pop("options", None)
    if is_many(request):
        del args[MANY]
    options = listed if isinstance(listed, list) else []
    return Question(
        text=text,
        context=context,
        options=tuple((index, one) for index, one in enumerate(options) if isinstance(one, str)),
        free_text=bool(args.pop("free_text", False)),
        in_dialog=is_many(request) or is_form(request),
        rest=args if listed is None or isinstance(listed, list) else {**args, "options": listed},
    )


def answer_at(request: Request, index: int) -> str | None:
    """The option that a button or a menu stands for, letter by letter; None: there is none such."""
    listed = request.args.get("options")
    found = listed[index] if isinstance(listed, list) and 0 <= index < len(listed) else None
    return found if isinstance(found, str) else None


def question_text(request: Request) -> Shown:
    """All of a question, in the order in which it is read."""
    asked = question_of(request)
    parts = [reveal(asked.text or "⟨nothing⟩") if asked.text else ("⟨no question⟩", 0)]
    if asked.context:
        parts.append(reveal(asked.context))
    if asked.options and not asked.fits_buttons:
        listed = [reveal(words) for _, words in asked.options]
        lines = (f"{number}. {_indented(words)}" for number, (words, _) in enumerate(listed, 1))
        parts.append(("\n".join(lines), sum(hidden for _, hidden in listed)))
    if asked.rest:
        rest = call_text(asked.rest)
        parts.append((rest.text, rest.hidden))
    parts += [reveal(f"{name(one.by.name)}: {spoken(one.text or '')}") for one in exchange(request)]
    return Shown("\n\n".join(words for words, _ in parts), sum(hidden for _, hidden in parts))


def exchange(request: Request) -> list[TrailLine]:
    """What people have asked back, and what the agent has replied."""
    return [one for one in request.trail if one.text and one.word in (ChangesRequested.word, Revised.word)]


def choosers(request: Request) -> list[Block]:
    """What a question is answered with: a button for each option, or a menu, or a dialog."""
    asked, made = question_of(request), []
    if asked.fits_buttons:
        made = [button(words, ids.option(index), ids.pack(request)) for index, words in asked.options]
    elif asked.fits_menu:
        made = [select(ids.CHOOSE, "Choose an answer", menu(request))]
    if asked.may_be_written:
        words = "Guidance…" if request.tool == ESCALATION_TOOL else "Answer…"
        made.append(button(words, ids.ANSWER, ids.pack(request)))
    return made


def menu(request: Request) -> list[Block]:
    """A question's options, numbered as in the list above them where that stands."""
    asked = question_of(request)
    return [
        option(words if asked.fits_buttons else f"{number}. {_label(words)}", ids.pack_pick(index, request))
        for number, (index, words) in enumerate(asked.options[:MENU], 1)
    ]


def _label(words: str) -> str:
    return one_line(words, OPTION_CHARS - len("100. ")) or "⟨nothing⟩"


def _indented(words: str) -> str:
    return words.replace("\n", "\n    ")


def _text(item: Json) -> str:
    if item is None:
        return ""
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
