"""What people set for themselves: the dialog behind Change… on the Home tab."""

from __future__ import annotations

from dataclasses import replace

from slack_bolt.async_app import AsyncApp

from approvals.preferences import Preferences
from blocks import ids
from blocks.preferences import read_settings, settings_view
from bot.desk import Verdict
from bot.listeners.decisions import on_click, on_submit
from bot.listeners.parts import Errors, Parts
from bot.payloads import Click, Submitted


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the button and the dialog."""
    app.action(ids.SETTINGS)(on_click(parts, _open))
    app.view(ids.SETTINGS)(on_submit(parts, _save))


async def _open(parts: Parts, click: Click) -> None:
    await parts.open(click, settings_view(await parts.homes.preferences(click.who)))


async def _save(parts: Parts, submitted: Submitted) -> Verdict | Errors:
    before = await parts.homes.preferences(submitted.who)
    wanted = read_settings(before, submitted.values)
    if not isinstance(wanted, Preferences):
        return wanted
    name = await parts.people.name_of(submitted.who.id)
    await parts.preferences.set(replace(wanted, name=name))
    await parts.homes.show(submitted.who)
    return Verdict(request=None)
