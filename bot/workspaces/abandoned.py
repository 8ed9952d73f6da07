"""What agents ask of people in a workspace that has removed the app: nobody can answer, and they learn so."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from approvals.commands import GiveUp
from approvals.errors import Refusal, Unavailable
from approvals.store import Store

logger = logging.getLogger(__name__)

LOOK_S = 1.0
WHY = "the Slack app is no longer installed in this workspace"


async def run(store: Store) -> None:
    """Give up whatever waits for people, for ever."""
    while True:
        try:
            for request in await store.pending():
                with suppress(Refusal):  # it has ended meanwhile
                    await store.change(request.id, GiveUp(reason=WHY))
                    logger.error("undeliverable: %s", WHY, extra={"request_id": request.id})
        except Unavailable as error:
            logger.warning("what is to be given up can't be read: %s", error)
        await asyncio.sleep(LOOK_S)
