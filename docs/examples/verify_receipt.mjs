// Check a decision receipt: node verify_receipt.mjs receipt.json PUBLIC_KEY. Needs nothing else.
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const KIND = "application/vnd.countersign.decision+json";
const [file, key] = process.argv.slice(2);

const receipt = JSON.parse(readFileSync(file, "utf8"));
const payload = Buffer.from(receipt.payload, "base64");
const signed = Buffer.concat([Buffer.from(`DSSEv1 ${KIND.length} ${KIND} ${payload.length} `), payload]);
const signature = Buffer.from(receipt.signatures[0].sig, "base64");
const der = Buffer.from("MCowBQYDK2VwAyEA" + key, "base64"); // what goes before the key's 32 bytes in X.509

const holds = verify(null, signed, createPublicKey({ key: der, format: "der", type: "spki" }), signature);
if (receipt.payloadType !== KIND || !holds) {
  console.error("this receipt does not hold");
  process.exit(1);
}
console.log(payload.toString());
