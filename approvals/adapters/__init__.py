"""One gate for each agent framework. A module here needs its framework, which its extra installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Have an import that fails say which extra is missing: `with needs("langchain"): import langgraph`.

    Raises:
        ImportError: the framework isn't installed, or is a version that lacks what the adapter builds on.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f'{error}: this adapter needs pip install "countersign[{extra}]"') from error
