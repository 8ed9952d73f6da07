"""SSH signatures are read as OpenSSH writes them, and in no other way."""

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals import allowed_signers, sshsig
from approvals.errors import InvalidCall, NotSigned
from approvals.sshsig import ECDSA_P256, ED25519, KINDS, SK_ECDSA_P256, SK_ED25519, read_key, signed_by
from approvals.statements import NAMESPACE
from tests.ssh_keys import Key, armoured, keygen, string

TEXT = "I let this call run.\n"
KEYS = {kind: Key(kind=kind) for kind in KINDS}


@pytest.mark.parametrize(("name", "kind"), [("ed25519", ED25519), ("ecdsa", ECDSA_P256)])
def test_what_openssh_signs_is_checked_here_and_the_other_way_round(
    tmp_path: Path, name: str, kind: str
) -> None:
    file, ours, signers = tmp_path / "key", KEYS[kind], tmp_path / "allowed"
    keygen("-q", "-t", name, "-N", "", "-C", "ana@laptop", "-f", str(file))
    key, comment = read_key(file.with_suffix(".pub").read_text())
    assert comment == "ana@laptop" and key.name in keygen("-l", "-f", str(file))
    signature = keygen("-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(file), typed=TEXT)
    assert signed_by(signature, NAMESPACE, TEXT.encode()) == key

    signers.write_text(allowed_signers.line("U0ANA", read_key(ours.line)[0].line))
    (tmp_path / "signature").write_text(ours.signed(TEXT))
    told = ["-f", str(signers), "-I", "U0ANA", "-n", NAMESPACE, "-s", str(tmp_path / "signature")]
    assert "Good" in keygen("-Y", "verify", *told, typed=TEXT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.attack("J24")
def test_each_kind_of_key_signs_one_text_for_one_purpose(kind: str) -> None:
    key = KEYS[kind]
    assert signed_by(key.signed(TEXT), NAMESPACE, TEXT.encode()) == read_key(key.line)[0]
    with pytest.raises(NotSigned, match="doesn't fit"):
        signed_by(key.signed(TEXT), NAMESPACE, TEXT.encode() + b" ")
    with pytest.raises(NotSigned, match="another purpose"):
        signed_by(key.signed(TEXT, namespace="git"), NAMESPACE, TEXT.encode())
    other = Key(kind=kind)
    other.blob = key.blob  # who calls himself by the key of another
    with pytest.raises(NotSigned, match="doesn't fit"):
        signed_by(other.signed(TEXT), NAMESPACE, TEXT.encode())
    with pytest.raises(NotSigned, match="different kinds"):
        signed_by(key.signed(TEXT, kind="ssh-rsa"), NAMESPACE, TEXT.encode())


@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA_P256])
@pytest.mark.attack("J26")
def test_a_security_key_that_nobody_touched_has_signed_nothing(kind: str) -> None:
    with pytest.raises(NotSigned, match="touched"):
        signed_by(Key(kind=kind, flags=0).signed(TEXT), NAMESPACE, TEXT.encode())


@settings(max_examples=60)
@given(
    kind=st.sampled_from(KINDS), cut=st.integers(0, 400), put=st.binary(max_size=8), skip=st.integers(0, 8)
)
@pytest.mark.attack("J25")
def test_no_changed_signature_holds(kind: str, cut: int, put: bytes, skip: int) -> None:
    lines = KEYS[kind].signed(TEXT).splitlines()[1:-1]
    raw = base64.b64decode("".join(lines))
    changed = raw[:cut] + put + raw[cut + skip :]
    if changed == raw:
        return
    with pytest.raises(NotSigned):
        signed_by(armoured(changed), NAMESPACE, TEXT.encode())


@given(text=st.one_of(st.text(max_size=200), st.binary(max_size=200).map(armoured)))
@settings(max_examples=60)
def test_whatever_is_no_signature_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(NotSigned):
        signed_by(text, NAMESPACE, TEXT.encode())


RSA = "ssh-rsa " + base64.b64encode(string(b"ssh-rsa") + string(b"\1") + string(b"\1" * 256)).decode()
ODD = base64.b64encode(string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(b"\4" + b"\1" * 64))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (RSA, "taken are ed25519"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "private key"),
        ("", "one line"),
        (KEYS[ED25519].line + "\n" + KEYS[ECDSA_P256].line, "one line"),
        ("ssh-ed25519 AAAA", "damaged"),
        ("ssh-ed25519 ÄÄ", "damaged"),
        (f"ecdsa-sha2-nistp256 {ODD.decode()}", "damaged"),
        (KEYS[ED25519].line.replace("ssh-ed25519 ", "ecdsa-sha2-nistp256 "), "calls itself"),
        ('command="x" ' + KEYS[ED25519].line, "one line"),
    ],
    ids=["rsa", "private", "empty", "two", "short", "no base64", "odd", "two kinds", "options"],
)
@pytest.mark.attack("J25")
def test_what_is_no_key_of_a_kind_that_is_taken_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidCall, match=why):
        read_key(text)


def test_a_file_of_allowed_signers_is_read_as_we_write_it() -> None:
    ana, lee = (read_key(KEYS[kind].line)[0] for kind in (ED25519, SK_ECDSA_P256))
    text = f"# who\n\n{allowed_signers.line('U0ANA', ana.line)}\nU0LEE {lee.line} lee@desk\n"
    assert allowed_signers.read(text) == {"U0ANA": [ana], "U0LEE": [lee]}
    for wrong in ('U0ANA namespaces="git" ', "U0ANA cert-authority ", "*"):
        with pytest.raises(InvalidCall, match="line 1"):
            allowed_signers.read(wrong + ana.line)


def test_a_signature_may_be_pasted_with_other_line_ends() -> None:
    pasted = "\r\n  " + KEYS[ED25519].signed(TEXT).replace("\n", "\r\n") + "\n\n"
    assert signed_by(pasted, NAMESPACE, TEXT.encode()).kind == ED25519
    with pytest.raises(NotSigned, match="begins with"):
        signed_by(pasted + "x" * sshsig.SIGNATURE_CHARS, NAMESPACE, TEXT.encode())
