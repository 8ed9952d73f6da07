"""Runs of agent frameworks are kept by their agent, for the version that wrote them."""

import pytest

from approvals import Approvals, InvalidCall
from approvals.runs import RUN_BYTES


async def test_a_run_is_kept_until_it_is_forgotten(redis_url: str, tenant: str) -> None:
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as approvals:
        assert await approvals.runs.state("inv-881", "sdk 1") is None
        await approvals.runs.put_by("inv-881", "sdk 1", "first")
        await approvals.runs.put_by("inv-881", "sdk 1", "second")
        assert await approvals.runs.state("inv-881", "sdk 1") == "second"
        await approvals.runs.forget("inv-881")
        assert await approvals.runs.state("inv-881", "sdk 1") is None


async def test_another_version_is_told_which_one_can_go_on(redis_url: str, tenant: str) -> None:
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as approvals:
        await approvals.runs.put_by("inv-881", "sdk 1", "first")
        with pytest.raises(InvalidCall, match="put by with sdk 1, and this is sdk 2"):
            await approvals.runs.state("inv-881", "sdk 2")


async def test_agents_do_not_see_each_other_s_runs(redis_url: str, tenant: str) -> None:
    async with (
        Approvals.connect(redis_url, agent="billing", tenant=tenant) as billing,
        Approvals.connect(redis_url, agent="deployer", tenant=tenant) as deployer,
    ):
        await billing.runs.put_by("inv-881", "sdk 1", "first")
        assert await deployer.runs.state("inv-881", "sdk 1") is None


async def test_a_run_that_is_too_large_is_refused(redis_url: str, tenant: str) -> None:
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as approvals:
        with pytest.raises(InvalidCall, match="at most 16,777,216 are kept"):
            await approvals.runs.put_by("inv-881", "sdk 1", "x" * RUN_BYTES)
