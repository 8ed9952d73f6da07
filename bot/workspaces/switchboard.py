"""Hands what Slack sends to the one workspace that it is for; Slack's signature comes first."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

from approvals.model import Tenant
from bot import logs
from bot.payloads import Addressee

logger = logging.getLogger(__name__)

DOUBTS = ("app_uninstalled", "tokens_revoked")  # reasons to look; Slack itself says whether it is so
NO_RETRY: Mapping[str, str | Sequence[str]] = {"X-Slack-No-Retry": "1"}


class Switchboard:
    """Stands where one workspace's Bolt app would.

    `bolt_of` knows who is served now, `doubt` sees whether a workspace still has the app.
    """

    def __init__(
        self,
        signing_secret: str,
        bolt_of: Callable[[Tenant], AsyncApp | None],
        doubt: Callable[[Tenant], Awaitable[None]],
    ) -> None:
        self._verifier = SignatureVerifier(signing_secret)
        self._bolt_of, self._doubt = bolt_of, doubt

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Whoever it is not for learns nothing from the answer."""
        if not self._is_slacks(req):
            logger.warning("a request with a signature that isn't Slack's was turned away")
            return BoltResponse(status=401)
        if req.body.get("type") == "url_verification":
            return BoltResponse(status=200, body={"challenge": req.body.get("challenge")})
        to = Addressee.parse(req.body)
        tenant = Tenant(str(to.enterprise if to.is_org_wide else to.team))
        bolt = self._bolt_of(tenant)
        if bolt is None:
            logger.warning("a payload for a workspace that is not served was turned away")
            return BoltResponse(status=404, headers=dict(NO_RETRY))
        logs.TENANT.set(tenant)
        if (req.body.get("event") or {}).get("type") in DOUBTS:
            await self._doubt(tenant)
            return BoltResponse(status=200)
        return await bolt.async_dispatch(req)

    def _is_slacks(self, req: AsyncBoltRequest) -> bool:
        timestamp, signature = (
            req.headers.get(name, [""])[0] for name in ("x-slack-request-timestamp", "x-slack-signature")
        )
        return self._verifier.is_valid(req.raw_body, timestamp, signature)
