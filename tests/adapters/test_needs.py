"""An adapter whose framework is missing says what to install."""

import pytest

from approvals.adapters import needs


def test_a_missing_framework_is_told_by_its_extra() -> None:
    told = r"no_such_framework.*pip install \"countersign\[openai\]\""
    with pytest.raises(ImportError, match=told), needs("openai"):
        import no_such_framework  # type: ignore[import-not-found]  # that is the point  # noqa: F401


def test_a_version_without_what_an_adapter_builds_on_is_refused_when_it_is_imported() -> None:
    with pytest.raises(ImportError, match=r"countersign\[openai\]"), needs("openai"):
        from json import not_there_any_more  # type: ignore[attr-defined]  # likewise  # noqa: F401
