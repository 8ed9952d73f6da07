"""One worker that tells channels about the day, at a time that is given, and is killed at its first post.

Usage: dying_daily.py before|after ISO-TIME.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime

from bot import app, loops, settings
from tests.stories.dying_bot import arm

POST = "slack_sdk.web.async_client:AsyncWebClient.chat_postMessage"


async def main(at: datetime) -> None:
    async with app.built(settings.read(os.environ, needs="token")) as service:
        assert service.slack is not None
        worker = loops.daily_threads(service, service.slack)
        while True:  # until it is its turn, and its end
            await worker.look(at)


if __name__ == "__main__":
    arm(sys.argv[1], POST)
    asyncio.run(main(datetime.fromisoformat(sys.argv[2])))
