"""The App Home: what waits for the person who opened it."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from approvals.deputies import is_in_force
from approvals.model import PersonId
from blocks.deputies import for_home
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
    absences = [each for each in await parts.absences.all() if each.person == who.id]
    deputy = next((for_home(each, seen.now) for each in absences if is_in_force(each, seen.now)), None)
    view = home_view(seen.requests, mine, parts.commands, unseen=unseen, deputy=deputy)
    await parts.slack.views_publish(user_id=who.id, view=view)
