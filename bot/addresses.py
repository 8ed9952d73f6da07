"""Where a callback may go: the hosts that operators allow, and of their addresses only public ones.

A host is looked up once for each call, all that it leads to is judged, and that is connected to and nothing
else: neither another spelling of an address nor a name that leads elsewhere by then reaches what is internal.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

from approvals.errors import InvalidCall

Lookup: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
Address: TypeAlias = IPv4Address | IPv6Address

_HOST = r"(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
_ENTRY = re.compile(rf"(?:(?P<scheme>https?)://)?{_HOST}/?")
# Stricter than URLs are, so that no two readers find different hosts: no user, no backslash, no fragment.
_URL = re.compile(rf"(?P<scheme>https?)://{_HOST}(?:[/?][!$-;=?-\[\]_a-z~]*)?", re.IGNORECASE)
_PORTS = {"https": 443, "http": 80}

# https://www.iana.org/assignments/iana-ipv4-special-registry and …-ipv6-special-registry
_SPECIAL = [
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),  # Teredo, examples, 6to4
    )
]
_GLOBAL_IPV6 = ip_network("2000::/3")  # outside lie all forms of internal, IPv4-mapped and NAT64 addresses
_INTERNAL = [
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7"),
    )
]
_METADATA = {  # of clouds, where it isn't link-local: Azure, Alibaba, AWS, Google
    ip_address(text) for text in ("168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254")
}


class Forbidden(Exception):
    """A host leads where nothing of ours may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One host that operators allow."""

    scheme: str
    host: str
    port: int
    is_internal: bool = False  # may be: written as a whole origin, it is vouched for by who wrote it

    def may_be_at(self, address: Address) -> bool:
        if self.scheme == "http":
            return address.is_loopback
        return is_public(address) or (self.is_internal and _is_internal(address))


@dataclass(frozen=True)
class Receivers:
    """What APPROVALS_CALLBACKS allows."""

    text: str = ""

    @cached_property
    def all(self) -> list[Receiver]:
        """One for each entry.

        Raises:
            InvalidCall: one of them is none.
        """
        return [_receiver(entry.strip()) for entry in self.text.split(",") if entry.strip()]

    def of(self, url: str) -> Receiver:
        """Who is called under this address.

        Raises:
            InvalidCall: nobody who is allowed.
        """
        found = _URL.fullmatch(url)
        if found is None:
            raise InvalidCall("callback_url is no plain address such as https://hooks.example.com/path")
        scheme, host = found["scheme"].lower(), found["host"].lower()
        port = int(found["port"] or _PORTS[scheme])
        for receiver in self.all:
            if (receiver.scheme, receiver.host, receiver.port) == (scheme, host, port):
                return receiver
        where = host if port == _PORTS[scheme] else f"{host}:{port}"
        raise InvalidCall(f"callback_url: {scheme} to {where} is not in APPROVALS_CALLBACKS of the service")


def is_public(address: Address) -> bool:
    """Whether this is a host of the open internet, and of it alone."""
    if address in _METADATA or (address.version == 6 and address not in _GLOBAL_IPV6):
        return False
    return not any(address in network for network in _SPECIAL)


async def checked(receiver: Receiver, lookup: Lookup) -> list[ResolveResult]:
    """Look its host up, once; what is connected to is one of these.

    Raises:
        Forbidden: it leads, among others perhaps, to where it must not.
        OSError: it leads nowhere.
    """
    host = receiver.host.strip("[]")
    addresses = [ip_address(text) for text in await lookup(host, receiver.port)]
    for address in addresses:
        if not receiver.may_be_at(address):
            raise Forbidden(f"{host} leads to {address}, which is not to be called")
    return [_result(host, receiver.port, address) for address in addresses]


class Settled(AbstractResolver):
    """What was checked is all that there is to find."""

    def __init__(self, found: list[ResolveResult]) -> None:
        self._found = found

    async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
        return self._found

    async def close(self) -> None:
        """There is nothing to close."""


async def system_lookup(host: str, port: int) -> list[str]:
    """As the machine finds hosts.

    Raises:
        OSError: it doesn't.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _receiver(entry: str) -> Receiver:
    found = _ENTRY.fullmatch(entry.lower())
    if found is None:
        raise InvalidCall(f"{entry!r:.80} is neither a host such as hooks.example.com nor its origin")
    scheme = found["scheme"] or "https"
    port = int(found["port"] or _PORTS[scheme])
    if not 0 < port < 65536:
        raise InvalidCall(f"{entry!r:.80}: there is no port {port}")
    receiver = Receiver(scheme=scheme, host=found["host"], port=port, is_internal=found["scheme"] is not None)
    if scheme == "http" and not _is_this_machine(receiver.host):
        raise InvalidCall(f"{entry!r:.80}: http is for this machine alone, say http://127.0.0.1:9000")
    return receiver


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_internal(address: Address) -> bool:
    return address not in _METADATA and any(address in network for network in _INTERNAL)


def _result(host: str, port: int, address: Address) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=str(address),
        port=port,
        family=socket.AF_INET6 if address.version == 6 else socket.AF_INET,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
