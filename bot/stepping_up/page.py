"""The pages of a yes that takes more than a click: what would run, whole; and what came of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from html import escape

from approvals.masking import Masker, shown_args, spoken
from approvals.model import Request
from approvals.statements import NAMESPACE, Statement
from blocks.action import headline
from blocks.call import call_text
from blocks.request import label
from blocks.text import name, one_line, reveal
from bot.stepping_up.confirmations import Confirmation

CSS = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --go: #007a5a; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 0 auto; padding: 1.5rem 1rem; }
h1 { font-size: 1.35rem; line-height: 1.3; overflow-wrap: anywhere; margin: .25rem 0 1rem; }
p { margin: .5rem 0; }
.hint { opacity: .75; font-size: .9rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 1rem 0; }
dt { opacity: .7; } dd { margin: 0; overflow-wrap: anywhere; }
pre { font: 14px/1.5 ui-monospace, monospace; background: var(--soft); border: 1px solid var(--line);
  border-radius: 8px; padding: .5rem .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
pre span { display: block; padding-left: 3ch; text-indent: -3ch; }
pre span + span { border-top: 1px dotted var(--line); }
.go { display: inline-block; background: var(--go); color: #fff; text-decoration: none; font: inherit;
  font-weight: 600; border: 0; border-radius: 8px; padding: .65rem 1.25rem; margin: 1rem 0 .25rem; }
form.passkey:not([hidden]) + .go { background: transparent; color: inherit; margin: 0;
  box-shadow: inset 0 0 0 1px var(--line); }
textarea { box-sizing: border-box; width: 100%; font: 14px/1.5 ui-monospace, monospace; border-radius: 8px;
  border: 1px solid var(--line); padding: .5rem .75rem; background: transparent; color: inherit; }
label { display: block; margin: 1rem 0 .25rem; }
.go:focus-visible { outline: 3px solid #1264a3; outline-offset: 2px; }
"""
SCRIPT = """
const from = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
const to = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=+$/, "");
const PARTS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];

async function answered(publicKey) {
  publicKey.challenge = from(publicKey.challenge);
  for (const each of publicKey.allowCredentials ?? publicKey.excludeCredentials) each.id = from(each.id);
  if (publicKey.user) publicKey.user.id = from(publicKey.user.id);
  const made = await navigator.credentials[publicKey.user ? "create" : "get"]({ publicKey });
  const there = PARTS.filter(name => made.response[name]);
  const response = Object.fromEntries(there.map(name => [name, to(made.response[name])]));
  return JSON.stringify({ id: made.id, rawId: to(made.rawId), type: made.type, response });
}

for (const form of window.PublicKeyCredential ? document.querySelectorAll("form[data-asked]") : []) {
  form.hidden = false;
  form.addEventListener("submit", async event => {
    event.preventDefault();
    try {
      form.elements.credential.value = await answered(JSON.parse(form.dataset.asked));
      form.submit();
    } catch {
      form.querySelector("[role=alert]").hidden = false;
    }
  });
}
"""
_SCRIPTED = f"<script>{SCRIPT}</script>"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_hash(CSS)}'; script-src 'sha256-{_hash(SCRIPT)}';"
        " base-uri 'none'; form-action 'self';"
        " frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_DO = {
    "edit": "approve this call with your changes",
    "override": "let this call through past its normal path",
}


def to_sign_in(
    request: Request, confirmation: Confirmation, who: str, link: str, provider: str, asked: str | None
) -> str:
    """The whole call, as it would run, and the ways to confirm it; `asked` is what passkeys are asked for."""
    onward = escape(f"{link}/sign-in")
    way = f'<a class="go" href="{onward}" rel="noreferrer">Confirm with {escape(provider)}</a>'
    if asked is not None:
        way = _passkey_form(f"{link}/passkey", asked, "Confirm with a passkey") + way + _SCRIPTED
    return _asking(request, confirmation, who, "Confirm that it is you", way)


def to_sign(request: Request, confirmation: Confirmation, who: str, link: str, statement: Statement) -> str:
    """The whole call, the statement that stands for it, and where its signature goes."""
    file = f"{request.short}.statement"
    by_hand = f"ssh-keygen -Y sign -n {NAMESPACE} -f ~/.ssh/id_ed25519 {file}"
    return _asking(
        request,
        confirmation,
        who,
        "Sign with your own key",
        "<p>On your machine, which then shows you the call and sends the signature here:</p>"
        f"<pre>{_lines(f'countersign sign {link}')}</pre>"
        f'<p>Or download <a href="{escape(link)}/statement" download="{escape(file)}">the statement</a>,'
        " sign it with OpenSSH, and put the signature here:</p>"
        f"<pre>{_lines(by_hand)}</pre>"
        f'<form method="post" action="{escape(link)}/signature">'
        f'<label for="signature">{escape(file)}.sig</label>'
        '<textarea id="signature" name="signature" rows="7" required spellcheck="false"'
        ' placeholder="-----BEGIN SSH SIGNATURE-----"></textarea>'
        '<button class="go">Approve with this signature</button></form>'
        f'<p class="hint">What is signed:</p><pre>{_lines(statement.text.strip())}</pre>',
    )


def facts(request: Request, confirmation: Confirmation, who: str) -> dict[str, str]:
    """What there is to know beside the call itself."""
    return {
        "Asked by": one_line(name(request.agent), 80),
        "Request": label(request),
        "Rule": one_line(request.terms.rule, 80),
        "Risk": request.terms.risk.value,
        "Decides": one_line(who, 80),
        **({"Its agent’s words": _words(request.reason)} if request.reason else {}),
        **({"Your note": _words(confirmation.note)} if confirmation.note else {}),
    }


def _asking(request: Request, confirmation: Confirmation, who: str, how: str, way: str) -> str:
    call = wanted(request, confirmation)
    shown = call_text(shown_args(call))
    did = _DO.get(confirmation.verb, "approve this call")
    about = facts(request, confirmation, who)
    listed = "".join(f"<dt>{escape(what)}</dt><dd>{escape(told)}</dd>" for what, told in about.items())
    hidden = f"<p>{shown.hidden} characters in it would be invisible; they are spelled out.</p>"
    return _page(
        headline(call),
        f"<p>{how} to {did}. It counts for exactly what stands here, and for nothing else.</p>"
        f"<dl>{listed}</dl><p><code>{escape(one_line(request.tool, 200))}</code></p>"
        f"<pre>{_lines(shown.text)}</pre>{hidden if shown.hidden else ''}"
        f"{way}"
        f'<p class="hint">Until {confirmation.until:%H:%M:%S} UTC. Close this page if you don’t want it: '
        "nothing is decided then.</p>",
    )


def saying(title: str, sentence: str, more: str = "") -> str:
    """What came of it."""
    return _page(title, f'<p>{escape(sentence)}</p>{more}<p class="hint">You can close this page.</p>')


def offering(action: str, asked: str) -> str:
    """To whoever has just signed in: a passkey for the next time."""
    why = "<p>Next time it can be a passkey of this device instead.</p>"
    return _passkey_form(action, asked, "Make a passkey", why) + _SCRIPTED


def _passkey_form(action: str, asked: str, words: str, why: str = "") -> str:
    """Nothing is seen of it where a browser runs no script, or knows no passkeys."""
    return (
        f'<form class="passkey" method="post" action="{escape(action)}" data-asked="{escape(asked)}" hidden>'
        f'{why}<input type="hidden" name="credential"><button class="go">{escape(words)}</button>'
        '<p hidden role="alert">There was no passkey, so nothing was done.</p></form>'
    )


def wanted(request: Request, confirmation: Confirmation) -> Request:
    """The request with the call that they would let run."""
    if confirmation.edited is None:
        return request
    masks = Masker().masks(confirmation.edited)
    return replace(request, args=confirmation.edited, masks=masks)


def _lines(text: str) -> str:
    """Each on its own, so that what is wrapped can't pass itself off as another."""
    return "".join(f"<span>{escape(line)}\n</span>" for line in text.split("\n"))


def _words(words: str) -> str:
    return reveal(spoken(words))[0]


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="robots" content="noindex">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style><main>"
        f'<p class="hint">Countersign</p><h1>{escape(title)}</h1>{body}</main></html>'
    )
