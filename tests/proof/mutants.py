"""Break our own scripts and rules, one at a time in a copy, and see that the tests notice each.

`python -m tests.proof.mutants WORD` tries those whose names hold that word, and says what killed them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.proof.figures import Figures
from tests.proof.mutations import CALM, COMMIT, MUTATIONS, RULES, WATCHED_BY, Mutation

ROOT = Path(__file__).parents[2]
COPIED = ("approvals", "blocks", "bot", "tests", "docs", "pyproject.toml")
AT_ONCE = 2
TRIES = 3
ONE_S = 150  # for the tests of one mutant
PYTEST = ("-m", "pytest", "-x", "-q", "--tb=no", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist")
FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)  # without what it was called with
PASSED_CODE, FAILED_CODE = 0, 1  # of pytest; any other means that it could not try


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    mutation: Mutation
    killed_by: str | None  # the first test that failed
    problem: str | None = None  # why it could not be tried


def run(scale: int) -> Figures:
    """All of them, whatever the scale: a mutant is not more dead for being killed twice."""
    began = time.monotonic()
    tried = list(_tried(MUTATIONS))
    survivors = [each for each in tried if each.killed_by is None]
    sentences = [
        f"{each.mutation.name} ({each.mutation.path}): {each.problem or 'no test notices'}"
        for each in survivors
    ]
    if (broken := _broken_without()) is not None:
        sentences.append(f"the tests fail in a copy though nothing is broken there: {broken}")
    counts = {"mutants": len(tried), "killed": len(tried) - len(survivors), "survived": len(survivors)}
    return Figures(
        part="mutants of our code",
        counts=counts,
        seconds=round(time.monotonic() - began, 1),
        sentences=tuple(sentences),
    )


def watching(mutation: Mutation) -> tuple[str, ...]:
    """The test files that must notice it."""
    return mutation.tests or WATCHED_BY[mutation.path]


def _tried(mutations: Iterable[Mutation]) -> Iterator[Tried]:
    copies: SimpleQueue[Path] = SimpleQueue()

    def one(mutation: Mutation) -> Tried:
        copy = copies.get()
        try:
            return _try(mutation, copy)
        finally:
            copies.put(copy)

    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        for number in range(AT_ONCE):
            copies.put(_copied(Path(directory) / str(number)))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for tried in pool.map(one, mutations):
                print(
                    f"   {tried.mutation.name}: {tried.killed_by or tried.problem or 'SURVIVED'}",
                    file=sys.stderr,
                )
                yield tried


def _try(mutation: Mutation, copy: Path) -> Tried:
    source = copy / mutation.path
    text = source.read_text()
    if text.count(mutation.before) != 1:
        return Tried(mutation=mutation, killed_by=None, problem="what it replaces is not there (any more)")
    with _instead(source, text.replace(mutation.before, mutation.after), text):
        try:
            return Tried(mutation=mutation, killed_by=_killer(watching(mutation), copy))
        except subprocess.TimeoutExpired:
            return Tried(mutation=mutation, killed_by=None, problem=f"nothing ended within {ONE_S} s")
        except UnableToTry as error:
            return Tried(mutation=mutation, killed_by=None, problem=f"pytest could not try: {error}")


class UnableToTry(Exception):
    """Neither did the tests pass nor did one of them fail."""


def _killer(tests: tuple[str, ...], copy: Path) -> str | None:
    """The first test that fails, and fails again alone: a busy machine makes waits too short."""
    flaky: list[str] = []
    for _ in range(TRIES):
        code, told = _pytest((*tests, *(f"--deselect={each}" for each in flaky)), copy)
        if code == PASSED_CODE:
            return None
        found = FAILED.search(told)
        if code != FAILED_CODE or found is None:
            raise UnableToTry(told[-300:])
        test = found[1]
        if test.partition("::")[0] in CALM or _pytest([test], copy)[0] == FAILED_CODE:
            return test
        flaky.append(test)
    raise UnableToTry(f"these fail only sometimes: {', '.join(flaky)}")


@contextmanager
def _instead(source: Path, mutated: str, text: str) -> Iterator[None]:
    """Two versions of a file that are written within a second may have one time: no bytecode must be kept."""
    for content in (mutated, text):
        source.write_text(content)
        for compiled in source.parent.glob(f"__pycache__/{source.stem}.*"):
            compiled.unlink()
        if content == mutated:
            yield


def _pytest(tests: Iterable[str], copy: Path) -> tuple[int, str]:
    """Run them with the copy in the place of the checkout."""
    env = os.environ | {"PYTHONPATH": str(copy)}
    command = [sys.executable, *PYTEST, *tests]
    done = subprocess.run(
        command, cwd=copy, env=env, capture_output=True, text=True, timeout=ONE_S, check=False
    )
    return done.returncode, done.stdout


def _broken_without() -> str | None:
    """The first test that fails in a copy where nothing was broken: then the others say nothing."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        code, told = _pytest((*WATCHED_BY[COMMIT], *WATCHED_BY[RULES]), _copied(Path(directory) / "whole"))
    if code == PASSED_CODE:
        return None
    found = FAILED.search(told)
    return found[1] if found else told[-300:]


def _copied(to: Path) -> Path:
    to.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns(".hypothesis"))
        else:
            shutil.copy(ROOT / name, to / name)
    return to


if __name__ == "__main__":
    words = sys.argv[1:]
    for _ in _tried(
        [each for each in MUTATIONS if any(word in f"{each.path} {each.name}" for word in words)]
    ):
        pass
