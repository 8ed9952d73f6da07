"""What `make test` leaves to `make test-long`, so that it stays short."""

from collections.abc import Iterable
from typing import Any

import pytest


def one_of(cases: Iterable[Any]) -> list[Any]:
    """The first of them now, the others with the long tests: for cases that start processes."""
    first, *others = cases
    return [first, *(pytest.param(case, marks=pytest.mark.long) for case in others)]
