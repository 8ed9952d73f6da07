"""A callback's TLS is verified against the name that operators listed, although it connects to an address."""

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.addresses import Receivers
from tests.bot.test_webhooks import a_ground, yes
from tests.receiver import receiving


def a_certificate(directory: Path, name: str, *, days: int = 1) -> Path:
    """One that vouches for itself and for `name`, with its key."""
    secret = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=3))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    pem = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = directory / "certificate.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@pytest.mark.attack("C62")
@pytest.mark.parametrize(
    ("name", "days", "is_trusted", "arrives"),
    [
        pytest.param("hooks.internal", 1, True, True, id="its own name"),
        pytest.param("other.internal", 1, True, False, id="another name"),
        pytest.param("127.0.0.1", 1, True, False, id="the address alone"),
        pytest.param("hooks.internal", -1, True, False, id="expired"),
        pytest.param("hooks.internal", 1, False, False, id="vouched for by nobody"),
    ],
)
async def test_the_certificate_must_be_for_the_listed_name(
    redis_url: str, tenant: str, tmp_path: Path, name: str, days: int, is_trusted: bool, arrives: bool
) -> None:
    certificate = a_certificate(tmp_path, name, days=days)
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(certificate)
    trusted = ssl.create_default_context(cafile=certificate if is_trusted else None)

    async def lookup(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with receiving(tls=served) as receiver:
        url = f"https://hooks.internal:{receiver.port}"
        ours = {"receivers": Receivers(url), "lookup": lookup, "tls": trusted}
        async with a_ground(redis_url, tenant, **ours) as ground:
            request = await ground.asked(callback_url=f"{url}/countersign")
            await ground.store.change(request.id, yes(request))
            await ground.call()
        assert len(receiver.calls) == arrives
