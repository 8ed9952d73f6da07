"""Signed checkpoints: as C2SP writes them, read forgivingly, believed strictly."""

import base64
import hashlib

import pytest

from approvals import notes
from approvals.dsse import SigningKey
from approvals.notes import BadNote, Checkpoint

OURS, THEIRS = SigningKey.of(b"\x01" * 32), SigningKey.of(b"\x02" * 32)
ORIGIN = notes.origin_of("default")
CHECKPOINT = Checkpoint(origin=ORIGIN, size=17, root=hashlib.sha256(b"17").digest())
KEY = notes.key(OURS.public, ORIGIN)
NOTE = notes.sign(CHECKPOINT, OURS)


def test_a_checkpoint_is_three_lines_and_a_signature() -> None:
    origin, size, root, empty, signature, end = NOTE.split("\n")
    assert (origin, size, empty, end) == ("countersign/default", "17", "", "")
    assert base64.b64decode(root) == CHECKPOINT.root
    dash, name, signed = signature.split(" ")
    assert (dash, name) == ("—", origin)
    raw = base64.b64decode(signed)
    assert raw[:4] == hashlib.sha256(origin.encode() + b"\n\x01" + KEY.public).digest()[:4]
    assert len(raw) == 4 + 64


def test_who_has_the_key_can_check_it() -> None:
    assert notes.verify(NOTE, [KEY]) == CHECKPOINT
    assert notes.verify(NOTE, [notes.key(THEIRS.public, ORIGIN), KEY]) == CHECKPOINT
    assert notes.verify(f"\n{NOTE.strip()} \r\n", [KEY]) == CHECKPOINT, "as a message gives it back"


def test_a_key_is_one_line_of_text() -> None:
    assert notes.key(KEY.text, "another name") == KEY
    assert notes.key(f"{KEY.text}\n", ORIGIN) == KEY
    for wrong in ("", "name", KEY.text[:-4], KEY.text.replace("default", "other"), KEY.text + "AAAA"):
        with pytest.raises(BadNote):
            notes.key(wrong, ORIGIN)


@pytest.mark.attack("J2")
@pytest.mark.parametrize(
    "changed",
    [
        NOTE.replace("\n17\n", "\n18\n"),
        NOTE.replace("\n17\n", "\n017\n"),
        NOTE.replace("countersign/default\n", "countersign/other\n", 1),
        NOTE.replace("— countersign/default", "— countersign/other"),
        notes.sign(CHECKPOINT, THEIRS),
        CHECKPOINT.text,
        CHECKPOINT.text + "\n",
        "\n".join(NOTE.split("\n")[:2]),
        NOTE.replace("\n\n", "\nand more\n\n"),
        NOTE + "and more\n",
        NOTE[:-12] + "AAAAAAAAAA=\n",
        "",
    ],
)
def test_whatever_is_changed_in_it_is_not_believed(changed: str) -> None:
    with pytest.raises(BadNote):
        notes.verify(changed, [KEY])


def test_without_keys_it_can_be_read_and_not_believed() -> None:
    assert notes.read(CHECKPOINT.text) == CHECKPOINT
    with pytest.raises(BadNote, match="signed by none"):
        notes.verify(NOTE, [])
