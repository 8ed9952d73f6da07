"""What the failover proof has found once, in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from approvals.cards import Cards
from approvals.errors import Unavailable
from approvals.model import Tenant
from approvals.redis_door import open_redis
from approvals.store import Store
from tests.builders import a_request
from tests.redis_fleet import replicated


@pytest.mark.long
async def test_what_is_with_no_replica_yet_is_not_drawn(tmp_path: Path, tenant: str) -> None:
    async with (
        replicated(tmp_path) as (primary, replica),
        open_redis(primary.url, tenant=tenant, replicas=1) as redis,
    ):
        request = await Store(redis, tenant).create(a_request(tenant=Tenant(tenant)))
        cards = Cards(redis, tenant)
        replica.freeze()
        with pytest.raises(Unavailable):
            await cards.of(request.id)
        replica.thaw()
        assert (await cards.of(request.id))[0].id == request.id
