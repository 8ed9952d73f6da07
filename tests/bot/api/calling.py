"""Calling the API in one line."""

from typing import Any, NamedTuple

from aiohttp import ClientSession

REFUND = {"tool": "refund", "args": {"customer": "c_42", "amount": 940}}


class Said(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


async def get(api: ClientSession, path: str, **headers: str) -> Said:
    async with api.get(path, headers=headers) as response:
        return Said(response.status, await response.json(content_type=None), dict(response.headers))


async def post(api: ClientSession, path: str, body: object = None, **headers: str) -> Said:
    async with api.post(path, json=body, headers=headers) as response:
        return Said(response.status, await response.json(content_type=None), dict(response.headers))
