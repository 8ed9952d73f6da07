#!/bin/sh
# Check a decision receipt: sh verify_receipt.sh receipt.json PUBLIC_KEY. Needs openssl 3.
set -eu
kind=application/vnd.countersign.decision+json
at=$(mktemp -d) && trap 'rm -rf "$at"' EXIT
field() { tr -d ' \n' <"$receipt" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

receipt=$1
[ "$(field payloadType)" = "$kind" ] || { echo "this is no decision receipt" >&2; exit 1; }
field payload | openssl base64 -d -A >"$at/payload"
field sig | openssl base64 -d -A >"$at/signature"
{ printf 'DSSEv1 %d %s %d ' "${#kind}" "$kind" "$(wc -c <"$at/payload")"; cat "$at/payload"; } >"$at/signed"
printf -- '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA%s\n-----END PUBLIC KEY-----\n' "$2" >"$at/key"
openssl pkeyutl -verify -rawin -pubin -inkey "$at/key" -in "$at/signed" -sigfile "$at/signature" >&2
cat "$at/payload"
