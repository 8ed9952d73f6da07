"""Cookies that hold a browser to what it has begun here: for a while, and for this address alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One that no script reads. What stands in it is sealed by whoever sets it."""

    called: str
    lasts: timedelta
    is_tls: bool
    same_site: Literal["Lax", "Strict"] = "Lax"  # Strict: not even where another site's link leads here

    @property
    def name(self) -> str:
        return f"__Host-{self.called}" if self.is_tls else self.called

    def read(self, request: web.Request) -> str:
        """What stands in it; "": it did not come."""
        return request.cookies.get(self.name, "")

    def put(self, response: web.Response, sealed: str) -> None:
        """Have the browser keep it."""
        response.set_cookie(
            self.name,
            sealed,
            max_age=int(self.lasts.total_seconds()),
            path="/",
            httponly=True,
            samesite=self.same_site,
            secure=self.is_tls,
        )

    def drop(self, response: web.Response) -> None:
        """Have the browser forget it."""
        response.del_cookie(self.name, path="/", httponly=True, samesite=self.same_site, secure=self.is_tls)
