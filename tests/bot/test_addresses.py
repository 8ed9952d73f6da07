"""No spelling of an internal address, and no name that leads to one, is ever called."""

import ipaddress
from collections.abc import Awaitable, Callable

import pytest

from approvals.errors import InvalidCall
from bot.addresses import Forbidden, Receiver, Receivers, checked, is_public, system_lookup

INTERNAL = [
    "0.0.0.0",  # noqa: S104 - nothing listens there
    *("127.0.0.1", "127.0.0.2", "127.255.255.254", "0.1.2.3", "10.0.0.1", "10.255.255.255"),
    *("172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.254", "100.64.0.1", "100.127.255.254"),
    *("100.100.100.200", "169.254.0.1", "169.254.169.254", "169.254.170.2", "168.63.129.16", "192.0.0.192"),
    *("192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
    *("2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1", "3fff::1", "100::1", "5f00::1"),
]
PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "172.32.0.1",
    "100.63.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::200e",
]
# Other spellings of what is internal, as far as machines read them.
SPELLED = [
    *(
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "0x7f.0x0.0x0.0x1",
    ),
    *(
        "2852039166",
        "0xa9fea9fe",
        "025177524776",
        "169.254.43518",
        "0",
        "0x0",
        "10.1",
        "192.168.1",
        "3232235521",
    ),
    *("[::1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[fe80::1]"),
    *("localhost", "[::]", "[64:ff9b::127.0.0.1]", "[2002:7f00:0001::]"),
]
NO_ADDRESS = [
    *("hooks.example.com", "//hooks.example.com/", "ftp://hooks.example.com/", "gopher://hooks.example.com/"),
    *(
        "file:///etc/passwd",
        "http://hooks.example.com/",
        "https://hooks.example.com:22/",
        "https:///x",
        "https://",
    ),
    *(
        "https://ana@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/",
        "https://hooks.example.com:@10.0.0.1/",
    ),
    *(
        "https://127.0.0.1#@hooks.example.com/",
        "https://127.0.0.1\\@hooks.example.com/",
        "https://127.0.0.1/",
    ),
    *(
        "https://hooks.example.com\\.internal/",
        "https://hooks.example.com.internal/",
        "https://xhooks.example.com/",
    ),
    *("https://hooks.example.com./", "https://hooks.example.com:443443/", "https://hooks.example.com:0443x/"),
    *(
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nHost: x",
        "https://hooks.example.com\t/",
    ),
    *(" https://hooks.example.com/", "https://hooks.example.com/#x", "https://hooks。example.com/"),
    *("https://ｈooks.example.com/", "https://[::1]/", "https://2130706433/", "https://①②⑦.0.0.1/", ""),
]


def leading_to(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    """A resolver that leads every name there."""

    async def lookup(host: str, port: int) -> list[str]:
        return list(addresses)

    return lookup


def a_receiver(host: str = "hooks.example.com", *, internal: bool = False) -> Receiver:
    return Receiver(scheme="https", host=host, port=443, is_internal=internal)


@pytest.mark.attack("C53")
@pytest.mark.parametrize("address", INTERNAL)
async def test_an_internal_address_is_not_called_whatever_name_leads_to_it(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(Forbidden):
        await checked(a_receiver(), leading_to(address))


@pytest.mark.attack("C54")
@pytest.mark.parametrize("address", INTERNAL)
async def test_nor_is_a_host_of_which_one_address_is_internal(address: str) -> None:
    with pytest.raises(Forbidden):
        await checked(a_receiver(), leading_to("93.184.216.34", address))


@pytest.mark.attack("C53")
@pytest.mark.parametrize("host", SPELLED)
async def test_another_spelling_of_it_is_not_called_even_if_an_operator_lists_it(host: str) -> None:
    (receiver,) = Receivers(host).all
    with pytest.raises(Forbidden):
        await checked(receiver, system_lookup)


@pytest.mark.parametrize("address", PUBLIC)
async def test_a_public_address_is_called(address: str) -> None:
    found = await checked(a_receiver(), leading_to(address))
    assert [each["host"] for each in found] == [address]


@pytest.mark.attack("C56")
@pytest.mark.parametrize("url", NO_ADDRESS)
def test_only_a_plain_address_of_a_listed_host_is_taken(url: str) -> None:
    with pytest.raises(InvalidCall):
        Receivers("hooks.example.com").of(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com/",
        "https://HOOKS.example.com:443/a/b?c=d&e=%20",
        "https://hooks.example.com?run=1",
        "HTTPS://hooks.example.com/@x",
    ],
)
def test_an_address_of_a_listed_host_is_taken(url: str) -> None:
    assert Receivers("other.example.com, hooks.example.com").of(url) == a_receiver()


@pytest.mark.parametrize("address", ["10.0.0.7", "192.168.0.1", "100.64.0.1", "fd12::1", "127.0.0.1", "::1"])
async def test_a_whole_origin_may_be_internal(address: str) -> None:
    (receiver,) = Receivers("https://hooks.internal:8443").all
    assert await checked(receiver, leading_to(address))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "fe80::1",
        "0.0.0.0",  # noqa: S104 - likewise
        "224.0.0.1",
    ],
)
async def test_but_it_is_never_a_clouds_metadata(address: str) -> None:
    (receiver,) = Receivers("https://hooks.internal:8443").all
    with pytest.raises(Forbidden):
        await checked(receiver, leading_to(address))


@pytest.mark.attack("C56")
async def test_http_is_for_this_machine_alone() -> None:
    (receiver,) = Receivers("http://localhost:9000").all
    assert await checked(receiver, leading_to("127.0.0.1", "::1"))
    for elsewhere in ("10.0.0.1", "93.184.216.34"):
        with pytest.raises(Forbidden):
            await checked(receiver, leading_to(elsewhere))


@pytest.mark.parametrize(
    "text",
    [
        "http://hooks.example.com",
        "http://10.0.0.1:9000",
        "*.example.com",
        "*",
        "https://hooks.example.com/path",
        "ana@hooks.example.com",
        "hooks.example.com:0",
        "hooks.example.com:99999",
        "ftp://hooks.example.com",
        "hooks example.com",
    ],
)
def test_what_is_no_host_stops_the_start(text: str) -> None:
    with pytest.raises(InvalidCall):
        Receivers(f"fine.example.com,{text}").all  # noqa: B018 - it is worked out when it is read
