"""Digests of requests in every state, as their first version shows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from approvals.digest import Digest, DigestId, Row, may_be_in_all
from approvals.model import Args, Request, RequestId, Risk
from blocks.check import check_message
from blocks.digest import digest_card, page_starts
from blocks.pieces import Block, Card
from blocks.rows import row_words
from tests.blocks.scenes import asked, scene
from tests.builders import T0

NOW = T0 + timedelta(minutes=5)
ENDED = (
    "approved",
    "edited",
    "rejected",
    "expired",
    "executed",
    "failed",
    "withdrawn",
    "cancelled",
    "lapsed",
)
WAITING = ("pending", "pending_high_risk", "pending_email", "with_agent", "pending_groups_one", "question")


def a_digest(those: list[Request], **changes: Any) -> tuple[Digest, dict[RequestId, Request]]:
    """A digest of these, as its first version shows them."""
    rows = tuple(
        Row(
            request_id=one.id,
            fingerprint=one.fingerprint,
            is_ready=may_be_in_all(one) and row_words(one).is_whole,
            amount=_amount(one.args),
        )
        for one in those
    )
    usual: dict[str, Any] = {
        "name": "refunds",
        "channel": "C0APPROVALS",
        "unit": "$",
        "starts": page_starts(those),
    }
    made = Digest(id=DigestId("D-" + "7" * 26), tenant="default", made_at=T0, rows=rows, **(usual | changes))
    return made, {one.id: one for one in those}


def _amount(args: Args) -> int | None:
    amount = args.get("amount")
    return round(amount * 1e6) if isinstance(amount, int | float) and abs(amount) < 1e9 else None


def numbered(those: list[Request]) -> list[Request]:
    return [
        replace(one, id=RequestId(f"R-{number:04}" + "0" * 22), short=f"R-{number:04}")
        for number, one in enumerate(those)
    ]


def refunds(count: int, risky: int = 0) -> list[Request]:
    return numbered(
        [
            asked(
                args={"customer": f"c_{number}", "amount": 30 + number, "currency": "USD"},
                risk=Risk.HIGH if number < risky else Risk.MEDIUM,
            )
            for number in range(count)
        ]
    )


def drawn(digest: Digest, those: dict[RequestId, Request], now: datetime = NOW, **kwargs: Any) -> Card:
    card = digest_card(digest, those, now, **kwargs)
    check_message(card.text, card.blocks)
    return card


def buttons(blocks: list[Block], action_id: str) -> list[Block]:
    found = [one for block in blocks for one in [*block.get("elements", []), block.get("accessory", {})]]
    return [one for one in found if one.get("action_id") == action_id]


def mixed() -> tuple[Digest, dict[RequestId, Request]]:
    return a_digest(numbered([scene(name) for name in (*WAITING, *ENDED)]))
