"""Ids that nobody guesses and anybody can type."""

from approvals.ids import is_id, new_id


def test_an_id_is_an_r_and_26_letters_that_cannot_be_misread() -> None:
    one = new_id()
    assert is_id(one) and len(one) == 28
    assert not set(one[2:]) & set("ILOUilou")


def test_no_two_ids_are_alike() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


def test_half_an_id_is_none() -> None:
    assert not is_id("R-7K2M") and not is_id(new_id().lower()) and not is_id("")
