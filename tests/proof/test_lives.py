"""A few of the lives that `make proof` lives by the hundred."""

import pytest

from tests.proof.lives import live


@pytest.mark.long
def test_whatever_happens_redis_and_the_model_agree(redis_url: str) -> None:
    live(redis_url, examples=20, steps=30)
