"""Links on which people give a yes that takes more than a click, for stories."""

import re
from typing import Any

import aiohttp

from bot.sandbox.server import Sandbox
from tests.running import the_card
from tests.stories.watching import whispered


async def clicked(
    slack: Sandbox, person: str = "U0ANA", words: str = "c_42", takes: str = "a sign-in"
) -> str:
    """The link that somebody is given who presses Approve."""
    assert (await slack.person(person).press("Approve", await the_card(slack, words))).ok
    return link_in((await whispered(slack, person, f"takes {takes}")).text)


def link_in(words: str) -> str:
    found = re.search(r"<(http[^|>]+)\|", words)
    assert found is not None, words
    return found[1]


async def seen(session: aiohttp.ClientSession, url: str, **more: Any) -> tuple[int, str]:
    async with session.get(url, **more) as answer:
        return answer.status, await answer.text()
