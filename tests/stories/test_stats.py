"""`/approvals stats`: a day of decisions in numbers, in words, and as a picture that can be read aloud."""

import json
from pathlib import Path

import pytest

from approvals import Approvals
from approvals.model import Args
from bot.app import Service
from bot.sandbox.model import File, Message
from bot.sandbox.server import Sandbox
from tests.operator import countersign
from tests.running import environment, the_card, the_dialog
from tests.stories.signing import House
from tests.stories.watching import logged, whispered

PNG = b"\x89PNG\r\n\x1a\n"
POLICY = """
version = 1

[defaults]
channel = "#approvals"

[[rule]]
name = "labels"
tools = ["label"]
action = "allow"
"""


@pytest.fixture
def policy() -> str:
    return POLICY


async def asked(
    slack: Sandbox, approvals: Approvals, amount: int, tool: str = "refund"
) -> tuple[str, Message]:
    args: Args = {"customer": "c_42", "amount": amount}
    ticket = await approvals.submit(tool, args)
    return ticket.id, await the_card(slack, ticket.id[:6])  # its amount may stand in a time as well


async def a_day(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    """Kim approves two refunds and rejects one, Ana approves a deployment; a rule lets two labels through."""
    kim = slack.person("U0KIM")
    for amount in (111, 222):
        id, card = await asked(slack, approvals, amount)
        assert (await kim.press("Approve", card)).ok
        await logged(bot, id, "approved")
    id, card = await asked(slack, approvals, 333)
    assert (await kim.press("Reject…", card)).ok
    await the_dialog(slack, "U0KIM")
    assert (await kim.fill_and_submit({"words": "Not this one."})).ok
    await logged(bot, id, "rejected")
    id, card = await asked(slack, approvals, 444, tool="deploy")
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    await logged(bot, id, "approved")
    for number in (1, 2):
        ticket = await approvals.submit("label", {"issue": number})
        await logged(bot, ticket.id, "allowed")


def pictures_of(slack: Sandbox, person: str) -> list[File]:
    """What the app has uploaded into a person's messages with it."""
    messages = slack.person(person).dm().messages.values()
    return [slack.workspace.files[file] for message in messages for file in message.files]


async def test_it_says_what_became_of_a_day_and_shows_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await a_day(slack, approvals, bot)
    assert (await slack.person("U0MAX").slash("/approvals", "stats 1d")).ok
    told = await whispered(slack, "U0MAX", "In the last day people were asked 4 times")
    for words in (
        "2 calls ran by rule",
        "3 approved as asked, 1 rejected.",
        "refund: asked 3 times, 2 approved as asked, 1 rejected",
        "label: 2 by rule",
        "Kim Osei: 2 approved, 1 rejected",
        "Ana Duarte: 1 approved",
        "The picture is in your messages with this app.",
    ):
        assert words in told.shown
    assert "c_42" not in told.shown + told.text  # arguments are nobody's business here

    (picture,) = pictures_of(slack, "U0MAX")
    assert picture.content.startswith(PNG) and picture.mimetype == "image/png"
    assert "people were asked 4 times" in picture.alt_text
    assert "refund: 2 approved, 1 rejected" in picture.alt_text
    assert "label: 2 ran by rule" in picture.alt_text


@pytest.mark.parametrize(
    ("typed", "words", "absent"),
    [
        ("1d tool deploy", "In the last day, tool deploy", "refund"),
        ("agent billing", "In the last 30 days people were asked 4 times", "nobody"),
        ("person <@U0KIM|kim>", "Kim Osei decided 3 times.", "Ana"),
    ],
)
async def test_it_can_be_narrowed(
    slack: Sandbox, approvals: Approvals, bot: Service, typed: str, words: str, absent: str
) -> None:
    await a_day(slack, approvals, bot)
    assert (await slack.person("U0MAX").slash("/approvals", f"stats {typed}")).ok
    assert absent not in (await whispered(slack, "U0MAX", words)).shown


async def test_it_answers_over_http_as_well(house: House, approvals: Approvals) -> None:
    _, card = await asked(house.slack, approvals, 111)
    assert (await house.slack.person("U0ANA").press("Approve", card)).ok
    assert (await house.slack.person("U0MAX").slash("/approvals", "stats 1d")).ok
    await whispered(house.slack, "U0MAX", "In the last day people were asked once")
    assert len(pictures_of(house.slack, "U0MAX")) == 1


async def test_where_slack_takes_no_picture_the_words_come_alone(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await a_day(slack, approvals, bot)
    slack.faults.next_calls("files.getUploadURLExternal", "error")
    assert (await slack.person("U0MAX").slash("/approvals", "stats 1d")).ok
    told = await whispered(slack, "U0MAX", "people were asked 4 times")
    assert "picture" not in told.shown
    assert pictures_of(slack, "U0MAX") == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("sometimes", "“sometimes” is no span of time."),
        ("never", "“never” is no span of time."),
        ("900w", "“900w” is no span of time."),
        ("7d colour red", "“7d colour red” is no span of time."),
        ("7d tool", "Type `/approvals stats 30d`"),
        ("person @nobody", "“@nobody” is nobody in this workspace."),
        ("person <@U0NOBODY>", "is nobody in this workspace."),
        ("7d tool refund", "The log holds nothing in the last 7 days, tool refund."),
        ("30d", "Counting what happened in the last 30 days"),
    ],
)
async def test_what_can_not_be_counted_is_said(slack: Sandbox, bot: Service, typed: str, words: str) -> None:
    assert (await slack.person("U0MAX").slash("/approvals", f"stats {typed}")).ok
    await whispered(slack, "U0MAX", words)


async def test_guests_get_no_numbers(slack: Sandbox, bot: Service) -> None:
    assert (await slack.person("U0GUS").slash("/approvals", "stats 1d")).ok
    await whispered(slack, "U0GUS", "Numbers are for members of this workspace")


async def test_a_terminal_gets_the_same_numbers_and_the_picture(
    slack: Sandbox, approvals: Approvals, bot: Service, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    await a_day(slack, approvals, bot)
    env, picture = environment(slack, redis_url, tenant), tmp_path / "day.png"
    told = await countersign(env, "stats", "--since", "1d", "--picture", str(picture))
    assert told.code == 0, told.err
    assert "In the last day people were asked 4 times, and 2 calls ran by rule." in told.out
    assert "Kim Osei    3          2         0       1" in told.out
    assert picture.read_bytes().startswith(PNG)

    found = json.loads((await countersign(env, "stats", "--tool", "refund", "--json")).out)
    assert (found["counts"]["asked"], found["counts"]["rejected"]) == (3, 1)
    assert [person["id"] for person in found["people"]] == ["U0KIM"]
    assert "c_42" not in json.dumps(found)


async def test_a_terminal_is_told_what_can_not_be_counted(
    slack: Sandbox, redis_url: str, tenant: str
) -> None:
    env = environment(slack, redis_url, tenant)
    told = await countersign(env, "stats", "--since", "sometimes")
    assert (told.code, told.out) == (2, "") and "no duration" in told.err
    told = await countersign(env, "stats", "--since", "never")
    assert told.code == 2 and "52w" in told.err
    told = await countersign(env, "stats", "--since", "1h")
    assert (told.code, told.out) == (0, "The log holds nothing in the last hour.\n")
