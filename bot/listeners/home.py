"""The App Home: what waits for the person who opened it."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from approvals.model import PersonId
from blocks.home import home_view
from bot.listeners.parts import Json, Parts
from bot.payloads import Who


def register(app: AsyncApp, parts: Parts) -> None:
    """Publish the Home tab whenever it is opened."""

    @app.event("app_home_opened")
    async def opened(event: Json) -> None:
        if event.get("tab") == "home":
            await publish(parts, Who(id=PersonId(str(event["user"])), team=None))


async def publish(parts: Parts, who: Who) -> None:
    """Draw one person's Home tab as things stand."""
    seen = await parts.desk.visible(who, only_decidable=False)
    mine = [each.id for each in seen.requests if await parts.desk.may_decide(who, each, now=seen.now)]
    unseen = await parts.desk.unseen(who)
    view = home_view(seen.requests, mine, parts.commands, unseen=unseen)
    await parts.slack.views_publish(user_id=who.id, view=view)
