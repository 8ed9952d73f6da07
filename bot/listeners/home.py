"""The App Home: drawn when somebody opens it, and when they turn a page of their queue or narrow it."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from approvals.homes import Look
from approvals.model import PersonId
from blocks import ids
from blocks.queue import only_of
from bot.listeners.decisions import on_click
from bot.listeners.parts import Json, Parts
from bot.payloads import Click, Who


def register(app: AsyncApp, parts: Parts) -> None:
    """Publish the Home tab whenever it is opened, and whenever something else of it is wanted."""

    @app.event("app_home_opened")
    async def opened(event: Json) -> None:
        if event.get("tab") == "home":
            await parts.homes.show(Who(id=PersonId(str(event["user"])), team=None))

    app.action(ids.HOME_FILTER)(on_click(parts, _narrow))
    app.action(ids.HOME_BACK)(on_click(parts, _turn))
    app.action(ids.HOME_NEXT)(on_click(parts, _turn))


async def _narrow(parts: Parts, click: Click) -> None:
    await parts.homes.show(click.who, Look(only=only_of(click.value)))


async def _turn(parts: Parts, click: Click) -> None:
    page = int(click.value) if click.value.isdecimal() else 0
    await parts.homes.show(click.who, Look.unpacked(click.metadata).at(page))
