"""Links on which people give a yes that takes more than a click, for stories."""

import re
from pathlib import Path
from typing import Any

import aiohttp

from bot.sandbox.server import Sandbox
from tests.identity import CLIENT, SECRET, Identity
from tests.running import a_policy, environment, the_card
from tests.stories.signing import free_port
from tests.stories.watching import whispered


def signing_in(
    slack: Sandbox, redis_url: str, tenant: str, identity: Identity, folder: Path, policy: str
) -> dict[str, str]:
    """What an operator sets so that people can sign in for one decision."""
    port = free_port()
    identity.team = slack.app.team_id
    return environment(
        slack,
        redis_url,
        tenant,
        APPROVALS_POLICY=a_policy(folder, policy),
        APPROVALS_URL=f"http://localhost:{port}",
        APPROVALS_OIDC_ISSUER=identity.url,
        SLACK_CLIENT_ID=CLIENT,
        SLACK_CLIENT_SECRET=SECRET,
        PORT=str(port),
    )


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
