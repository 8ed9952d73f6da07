"""Nobody is called at an internal address, in whatever form somebody writes it, and why each form is refused.

Each is the worst case: operators themselves have listed the host, as one that may be public.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from approvals.callbacks import CallbackId
from approvals.errors import InvalidCall
from approvals.keys import key
from bot.addresses import Forbidden, Receivers, checked, system_lookup
from tests.bot.test_webhooks import a_ground, yes

TEXT, ADDRESS, NOWHERE = "is no plain address", "leads to what is not to be called", "leads nowhere"

# Hosts: the form, what becomes of it, and what it would reach or why somebody writes it so.
HOSTS = [
    ("127.0.0.1", ADDRESS, "this machine"),
    ("127.255.255.254", ADDRESS, "all of 127/8 is this machine"),
    ("2130706433", ADDRESS, "decimal"),
    ("0x7f000001", ADDRESS, "hexadecimal"),
    ("0x7f.0x0.0x0.0x1", ADDRESS, "hexadecimal by bytes"),
    ("017700000001", ADDRESS, "octal"),
    ("0177.0.0.01", ADDRESS, "octal by bytes"),
    ("127.1", ADDRESS, "two parts"),
    ("127.0.1", ADDRESS, "three parts"),
    ("0x7f.1", ADDRESS, "mixed bases, two parts"),
    ("0177.0x0.0.1", ADDRESS, "mixed bases"),
    ("00000177.0.0.1", ADDRESS, "leading zeros"),
    ("0", ADDRESS, "unspecified, which connects to this machine"),
    ("0.0.0.0", ADDRESS, "unspecified in full"),  # noqa: S104 - nothing listens there
    ("0x0", ADDRESS, "unspecified, hexadecimal"),
    ("0.1.2.3", ADDRESS, "“this network”"),
    ("[::1]", ADDRESS, "this machine, IPv6"),
    ("[0:0:0:0:0:0:0:1]", ADDRESS, "the same in full"),
    ("[::]", ADDRESS, "unspecified, IPv6"),
    ("[::ffff:127.0.0.1]", ADDRESS, "IPv4-mapped"),
    ("[::ffff:7f00:1]", ADDRESS, "IPv4-mapped, hexadecimal"),
    ("[0:0:0:0:0:ffff:127.0.0.1]", ADDRESS, "IPv4-mapped in full"),
    ("[::127.0.0.1]", ADDRESS, "IPv4-compatible, deprecated"),
    ("[::ffff:0:127.0.0.1]", ADDRESS, "IPv4-translated"),
    ("[64:ff9b::127.0.0.1]", ADDRESS, "NAT64"),
    ("[64:ff9b::a9fe:a9fe]", ADDRESS, "NAT64 of a cloud's metadata"),
    ("[64:ff9b:1::10.0.0.1]", ADDRESS, "NAT64 of local use"),
    ("[2002:7f00:1::]", ADDRESS, "6to4"),
    ("[2002:a9fe:a9fe::]", ADDRESS, "6to4 of a cloud's metadata"),
    ("[2001:0:7f00:1::80ff:fffe]", ADDRESS, "Teredo"),
    ("[fe80::1]", ADDRESS, "link-local, IPv6"),
    ("[fec0::1]", ADDRESS, "site-local, deprecated"),
    ("[fc00::1]", ADDRESS, "unique local"),
    ("[fd00:ec2::254]", ADDRESS, "Amazon's metadata, IPv6"),
    ("[fd20:ce::254]", ADDRESS, "Google's metadata, IPv6"),
    ("[ff02::1]", ADDRESS, "multicast, IPv6"),
    ("[2001:db8::1]", ADDRESS, "for documents"),
    ("[100::1]", ADDRESS, "discarded"),
    ("[5f00::1]", ADDRESS, "segment routing"),
    ("169.254.169.254", ADDRESS, "metadata of most clouds"),
    ("2852039166", ADDRESS, "the same, decimal"),
    ("0xa9fea9fe", ADDRESS, "the same, hexadecimal"),
    ("025177524776", ADDRESS, "the same, octal"),
    ("0251.0376.0251.0376", ADDRESS, "the same, octal by bytes"),
    ("169.254.43518", ADDRESS, "the same, three parts"),
    ("169.16689662", ADDRESS, "the same, two parts"),
    ("[::ffff:169.254.169.254]", ADDRESS, "the same, IPv4-mapped"),
    ("169.254.170.2", ADDRESS, "Amazon's task credentials"),
    ("100.100.100.200", ADDRESS, "Alibaba's metadata"),
    ("168.63.129.16", ADDRESS, "Azure's wire server, which is no special range"),
    ("192.0.0.192", ADDRESS, "Oracle's metadata"),
    ("10.0.0.1", ADDRESS, "private"),
    ("10.1", ADDRESS, "private, two parts"),
    ("172.16.0.1", ADDRESS, "private"),
    ("172.31.255.254", ADDRESS, "the last of that range"),
    ("192.168.0.1", ADDRESS, "private"),
    ("3232235521", ADDRESS, "private, decimal"),
    ("100.64.0.1", ADDRESS, "a carrier's network (CGNAT)"),
    ("100.127.255.254", ADDRESS, "the last of that range"),
    ("198.18.0.1", ADDRESS, "benchmarks"),
    ("192.88.99.1", ADDRESS, "6to4's relay"),
    ("192.0.2.1", ADDRESS, "for documents"),
    ("224.0.0.1", ADDRESS, "multicast"),
    ("240.0.0.1", ADDRESS, "reserved"),
    ("255.255.255.255", ADDRESS, "broadcast"),
    ("localhost", ADDRESS, "by name"),
    ("LOCALHOST", ADDRESS, "by name, in capitals"),
    ("localhost.", TEXT, "with the root's dot"),
    ("127.0.0.1.", TEXT, "an address with a dot"),
    ("metadata.example", ADDRESS, "a public name for a cloud's metadata"),
    ("mixed.example", ADDRESS, "a name for a public address and an internal one"),
    ("mapped.example", ADDRESS, "a name for an IPv4-mapped address"),
    ("xn--hoks-5qa.example", NOWHERE, "a name in punycode is just another name"),
    ("１２７.0.0.1", TEXT, "full-width digits"),
    ("①②⑦.⓪.⓪.①", TEXT, "circled digits"),
    ("127。0。0。1", TEXT, "an ideographic full stop"),
    ("ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", TEXT, "letters that fold to localhost"),
    ("lоcalhost", TEXT, "a Cyrillic о"),
    ("127.0.0.1%00.example.com", TEXT, "a NUL that ends it for some"),
    ("%31%32%37.0.0.1", TEXT, "percent-encoded"),
    ("[fe80::1%25eth0]", TEXT, "with a zone"),
    ("[::1", TEXT, "a bracket that stays open"),
    ("127.0.0.1,hooks.example.com", TEXT, "two hosts"),
    ("hooks.example.com 127.0.0.1", TEXT, "a blank"),
    ("hooks.example.com\t", TEXT, "a tab, which some strip"),
]
# Whole addresses, while hooks.example.com is listed, as what is elsewhere read into or out of it.
ADDRESSES = [
    ("https://hooks.example.com@127.0.0.1/", "a user that looks like the host"),
    ("https://hooks.example.com:443@127.0.0.1/", "a user and a password"),
    ("https://127.0.0.1#@hooks.example.com/", "a fragment for some, a user for others"),
    ("https://127.0.0.1\\@hooks.example.com/", "a backslash, which browsers turn"),
    ("https://hooks.example.com\\.127.0.0.1/", "a backslash within the host"),
    ("https://127.0.0.1?@hooks.example.com/", "a query, or a user"),
    ("https://127.0.0.1/hooks.example.com", "the host as a path"),
    ("//hooks.example.com/", "no scheme"),
    ("http://hooks.example.com/", "not https"),
    ("gopher://hooks.example.com/_SET%20a", "a scheme that speaks to Redis"),
    ("file:///etc/passwd", "a file"),
    ("ftp://hooks.example.com/", "another scheme"),
    ("https:hooks.example.com", "a scheme without slashes"),
    ("https:///hooks.example.com/", "three slashes"),
    ("https://hooks.example.com:22/", "the port of SSH"),
    ("https://hooks.example.com:25/", "the port of mail"),
    ("https://hooks.example.com:6379/", "the port of Redis"),
    ("https://hooks.example.com:00000443/", "a port with zeros"),
    ("https://hooks.example.com:66079/", "a port that wraps round to 543"),
    ("https://hooks.example.com/\r\nHost: 127.0.0.1", "a header by CR and LF"),
    ("https://hooks.example.com/\nX: y", "a header by LF"),
    ("https://hooks.example.com/ HTTP/1.1", "a request line"),
    ("https://hooks.example.com./", "a trailing dot"),
    ("https://hooks.example.com.evil.example/", "the host as a beginning"),
    ("https://evil-hooks.example.com/", "the host as an end"),
    ("https://hooks。example.com/", "an ideographic full stop"),
    ("https://hooks.example.com/\u202e", "what turns the text round"),
]
NAMES = {
    "inside.example": ["127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "mixed.example": ["93.184.216.34", "127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
}


async def lookup(host: str, port: int) -> list[str]:
    """As machines do, but for names: none is asked of the network."""
    if host in NAMES:
        return NAMES[host]
    if "example" in host:
        raise OSError("no such name")
    return await system_lookup(host, port)


@pytest.mark.attack("C53")
@pytest.mark.parametrize(("host", "result", "why"), HOSTS, ids=[why for _, _, why in HOSTS])
async def test_no_form_of_an_internal_host_is_called(host: str, result: str, why: str) -> None:
    assert await _becomes(host) == result


async def _becomes(host: str) -> str:
    try:
        receiver = Receivers(host).of(f"https://{host}/")
    except InvalidCall:
        return TEXT
    try:
        return f"leads to {await checked(receiver, lookup)}"
    except Forbidden:
        return ADDRESS
    except OSError:
        return NOWHERE


@pytest.mark.attack("C56")
@pytest.mark.parametrize(("url", "why"), ADDRESSES, ids=[why for _, why in ADDRESSES])
def test_no_address_is_read_as_that_of_a_listed_host_which_is_another(url: str, why: str) -> None:
    with pytest.raises(InvalidCall):
        Receivers("hooks.example.com").of(url)


@pytest.mark.attack("C53", "C56")
async def test_a_real_callback_connects_to_none_of_them(redis_url: str, tenant: str) -> None:
    async with a_tripwire() as (port, connections):
        listable = [f"{host}:{port}" for host, result, _ in HOSTS if result != TEXT]
        receivers = Receivers(", ".join([*listable, "hooks.example.com", f"https://inside.example:{port}"]))
        urls = [f"https://{host}:{port}/" for host, _, _ in HOSTS]
        urls += [url for url, _ in ADDRESSES]
        async with a_ground(redis_url, tenant, receivers=receivers, lookup=lookup) as ground:
            for url in urls:
                request = await ground.asked(callback_url=url)
                await ground.store.change(request.id, yes(request))
            assert len(await ground.call()) + len(await ground.call()) == len(urls)  # a hundred at once
            assert connections == []
            waits = await ground.redis.zrange(key(tenant, "callbacks"), 0, -1)
            failures = [(await ground.callbacks.of(CallbackId(str(id)))) for id in waits]
            told = {str(kept and kept.failure) for kept in failures}
            assert {each for each in told if "is not to be called" not in each} == {"no answer: OSError"}
            assert len(await ground.callbacks.dead()) == len(urls) - len(waits)

            request = await ground.asked(callback_url=f"https://inside.example:{port}/")  # vouched for
            await ground.store.change(request.id, yes(request))
            await ground.call()
            assert connections, "the wire is not connected to anything"


@asynccontextmanager
async def a_tripwire() -> AsyncIterator[tuple[int, list[str]]]:
    """A port of this machine, and a line for everybody who connects to it."""
    connections: list[str] = []

    async def trip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(str(writer.get_extra_info("peername")))
        writer.close()

    server = await asyncio.start_server(trip, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], connections
