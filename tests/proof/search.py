"""Exhaustive breadth-first search of a model: every state, the shortest way to a wrong, what gets stuck."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[S]):
    """One thing that may happen next. `is_fault`: nobody may count on it."""

    label: str
    after: S
    is_fault: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came upon; with a `wrong` it ended there, and `trace` is the shortest way to it."""

    states: int
    transitions: int
    wrong: str | None = None
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Generic[S]):
    """`wrong` says what must not be about a state; `is_end` what everything must be able to come to."""

    name: str
    first: S
    steps: Callable[[S], Iterable[Step[S]]]
    wrong: Callable[[S], str | None]
    is_end: Callable[[S], bool]


def explore(model: Model[S]) -> Found:
    """Search all of it. Where nothing is wrong, an end must be in reach from everywhere without any fault."""
    known: dict[S, int] = {model.first: 0}
    order = [model.first]
    parents, words = array("i", [-1]), [""]
    sources, targets = array("i"), array("i")
    transitions = 0
    if (wrong := model.wrong(model.first)) is not None:
        return Found(states=1, transitions=0, wrong=wrong)
    for number, state in enumerate(order):  # which grows meanwhile
        for step in model.steps(state):
            transitions += 1
            target = known.get(step.after)
            if target is None:
                target = known[step.after] = len(order)
                order.append(step.after)
                parents.append(number)
                words.append(step.label)
                if (wrong := model.wrong(step.after)) is not None:
                    trace = _way(parents, words, target)
                    return Found(states=len(order), transitions=transitions, wrong=wrong, trace=trace)
            if not step.is_fault:
                sources.append(number)
                targets.append(target)
    stuck = _stuck([model.is_end(state) for state in order], sources, targets)
    if stuck is None:
        return Found(states=len(order), transitions=transitions)
    return Found(
        states=len(order),
        transitions=transitions,
        wrong=f"no end can be reached from here: {order[stuck]}",
        trace=_way(parents, words, stuck),
    )


def _stuck(is_end: list[bool], sources: array[int], targets: array[int]) -> int | None:
    """The first state, in the order of the search, from which no end can be reached."""
    reaches = np.array(is_end, dtype=bool)
    froms, tos = np.frombuffer(sources, dtype=np.int32), np.frombuffer(targets, dtype=np.int32)
    count = -1
    while count != (count := int(reaches.sum())):
        reaches[froms[reaches[tos]]] = True
    stuck = np.flatnonzero(~reaches)
    return int(stuck[0]) if len(stuck) else None


def _way(parents: array[int], words: list[str], number: int) -> tuple[str, ...]:
    way: list[str] = []
    while number > 0:
        way.append(words[number])
        number = parents[number]
    return tuple(reversed(way))
