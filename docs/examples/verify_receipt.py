"""Check a decision receipt: python verify_receipt.py receipt.json PUBLIC_KEY. Needs `cryptography` alone."""

import json
import sys
from base64 import b64decode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KIND = "application/vnd.countersign.decision+json"

receipt = json.loads(Path(sys.argv[1]).read_text())
payload = b64decode(receipt["payload"], validate=True)
if receipt["payloadType"] != KIND:
    sys.exit("this is no decision receipt")

signed = b"DSSEv1 %d %b %d %b" % (len(KIND), KIND.encode(), len(payload), payload)
signature = b64decode(receipt["signatures"][0]["sig"], validate=True)
key = Ed25519PublicKey.from_public_bytes(b64decode(sys.argv[2]))
key.verify(signature, signed)  # raises if it doesn't hold

sys.stdout.write(payload.decode() + "\n")
