"""The mutants that `make proof` makes of our code still fit it."""

from collections import Counter
from pathlib import Path

from tests.proof.mutants import watching
from tests.proof.mutations import MUTATIONS

ROOT = Path(__file__).parents[2]


def test_what_each_replaces_stands_in_its_file_once() -> None:
    texts = {each.path: (ROOT / each.path).read_text() for each in MUTATIONS}
    assert [each.name for each in MUTATIONS if texts[each.path].count(each.before) != 1] == []
    assert [each.name for each in MUTATIONS if each.before == each.after] == []


def test_each_has_a_name_of_its_own_and_tests_that_are_to_notice_it() -> None:
    assert [name for name, count in Counter(each.name for each in MUTATIONS).items() if count > 1] == []
    tests = {test.partition("::") for each in MUTATIONS for test in watching(each)}
    assert [
        test for path, _, test in sorted(tests) if f"def {test}(" not in (ROOT / path).read_text() and test
    ] == []
