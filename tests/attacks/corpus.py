"""Every attack and bad input that we know of, and what must become of it; docs/attacks.md is made of it.

A to I follow what is known of attacks on such systems, J is what we thought of ourselves. Tests say by the
marker `attack` which of them they show. A number that is missing was never given to one.
"""

from __future__ import annotations

from dataclasses import dataclass

AREAS = {
    "A": "Slack",
    "B": "Agents and the API",
    "C": "Callbacks",
    "D": "Redis",
    "E": "The policy file",
    "F": "What people see",
    "G": "The log",
    "H": "Those who run it",
    "I": "Tenants",
    "J": "More",
}


@dataclass(frozen=True, slots=True)
class Attack:
    what: str
    result: str


ATTACKS: dict[str, Attack] = {
    "A1": Attack("no signature, a wrong one, a short one", "401, unread; nothing changes"),
    "A2": Attack("a timestamp 5 minutes off, no number, negative, 20 digits", "401; nothing changes"),
    "A4": Attack("the same signed click again within 5 minutes", "one decision, one entry"),
    "A5": Attack("a click sent again after the end", "told what became of it; nothing changes"),
    "A6": Attack("a click by a member whom the policy doesn't name", "refused, told privately, logged"),
    "A7": Attack(
        "an empty list of approvers, or none who can be reached", "nobody decides; the agent is told"
    ),
    "A8": Attack("a click by a guest, a bot, a deactivated account", "refused, told privately, logged"),
    "A9": Attack(
        "a stranger in a shared channel with an approver's name", "refused: people are ids, not names"
    ),
    "A10": Attack("somebody decides what is asked for them, also by way of a deputy", "refused and logged"),
    "A12": Attack("Approve and Reject in the same millisecond", "one wins, the other is told who was faster"),
    "A13": Attack("a double click that reaches two replicas", "one effect and no complaint"),
    "A15": Attack("a response_url that isn't Slack's", "never called"),
    "A17": Attack("a click on what has expired or was revised", "told so; nothing changes"),
    "A19": Attack("a dialog left open over a revision or the deadline", "refused as stale"),
    "A20": Attack("a dialog's metadata swapped, of another version, missing", "decides nothing"),
    "A22": Attack("an edit that makes a call riskier", "the policy judges it anew; others may have to agree"),
    "A23": Attack(
        "Redis is away at the click", "the person sees an error; nothing was recorded; later it works"
    ),
    "A24": Attack(
        "Slack answers 429, 5xx, archived, not in channel", "tried again or told to the agent; no yes"
    ),
    "A25": Attack("a card was posted and the reply lost", "found again; one card"),
    "A26": Attack("the card is deleted, the channel archived", "posted again, or an error to the agent"),
    "A28": Attack("Slack delivers a click twice", "one effect"),
    "A29": Attack("one person clicks and clicks", "others decide meanwhile"),
    "A31": Attack("an approver leaves between their yes and the last one needed", "their yes counts no more"),
    "A32": Attack("approve all, after one row has changed", "that row is left out and named"),
    "B33": Attack("no token, a revoked one, another tenant's", "401 with the same words"),
    "B34": Attack("one key, a hundred times at once", "one request"),
    "B36": Attack("the agent changes args after asking", "earlier clicks and votes are stale"),
    "B37": Attack("running other args than were approved", "nothing runs; operators are told"),
    "B39": Attack("an approval used next week", "no permit any more"),
    "B40": Attack("a crash between claim and run", "never run again by itself; a person is asked"),
    "B41": Attack("a decision forged, edited, cut, of another key, with a name twice", "not believed"),
    "B42": Attack("one agent's approval used by another", "not given, and not believed"),
    "B44": Attack("an approval stretched to another call of the same tool", "for exactly its args, once"),
    "B46": Attack(
        "“already approved by the CFO” as a reason", "the agent's words, labelled so, below the call"
    ),
    "B48": Attack(
        "an agent picks approvers, deadline or risk", "the policy decides; it can only be stricter"
    ),
    "B49": Attack("an agent's own callback address", "only hosts that operators allow; nobody is asked"),
    "B51": Attack("an agent cancels what was decided", "the decision stands"),
    "B52": Attack("an agent wishes that silence be a yes", "only the policy can say so, never of high risk"),
    "C53": Attack("an internal address in any spelling", "not called"),
    "C54": Attack(
        "a name that leads elsewhere by the time of the call", "looked up once, judged, called there"
    ),
    "C55": Attack("a redirect", "not followed; a failure"),
    "C56": Attack("http, users, other ports and schemes, CR and LF in the address", "refused"),
    "C59": Attack("the receiver's answer is lost", "called again under the same id; the claim is single"),
    "C60": Attack(
        "410, 429, 503", "410 ends it; else nine tries more over 75 hours, none before Retry-After"
    ),
    "C61": Attack("rotating the secret", "two signatures while both are good; never unsigned"),
    "C62": Attack("a certificate for another name; a proxy in the environment", "refused; not used"),
    "D63": Attack("Redis killed, full, without its scripts, failing over", "nothing half done; it goes on"),
    "D64": Attack("a failover loses the last writes", "with `replicated`, nothing that was told"),
    "D65": Attack("FLUSHALL", "nothing is decided until an operator says so; operators are told"),
    "D66": Attack("somebody writes a decision into Redis", "nothing runs; the log doesn't verify"),
    "D67": Attack("Redis's clock jumps", "nothing expires before it was asked; no step is repeated"),
    "D69": Attack("the client sends a script twice", "the same answer, one effect"),
    "E70": Attack("a regular expression or glob that explodes", "linear time"),
    "E72": Attack("names twice, YAML, words for numbers, in a policy", "refused, with line and mend"),
    "E73": Attack("rules that nothing reaches, an empty file, a typo", "a fault; the old policy stays"),
    "E74": Attack("a quorum of 0, or of more than there are", "a fault; or an error to the agent"),
    "E76": Attack(
        "the policy changes while a request waits", "the request keeps the terms it was shown with"
    ),
    "E77": Attack("one person changes the policy from Slack alone", "a second owner must agree"),
    "F79": Attack("mentions, links, markup, entities, emoji codes in arguments", "shown letter by letter"),
    "F80": Attack("bidi, zero width, tags, piles of marks", "shown by their code, and counted"),
    "F81": Attack(
        "a call too long to be seen", "head and tail, a count, and no Approve before it was opened"
    ),
    "F82": Attack("white space that pushes the rest out of sight", "told by its count"),
    "F83": Attack(
        "keys, tokens and card numbers in args", "masked on cards; the fingerprint is over the raw call"
    ),
    "F85": Attack("a notification that says something else than the card", "made of the same facts"),
    "F87": Attack("images and links of agents", "never drawn, never unfurled"),
    "G89": Attack(
        "an entry edited, deleted, put in, moved, cut off, told twice", "the first bad one is named"
    ),
    "G90": Attack("a log made anew as a whole", "doesn't fit its checkpoints, of which Slack has one a day"),
    "G91": Attack("entries lost in a failover", "the gap is found"),
    "G92": Attack("trimming before anybody has a copy", "not possible"),
    "G93": Attack("personal data must go", "erased; every proof still holds"),
    "G94": Attack("the log can't be written", "then the decision isn't either"),
    "G95": Attack("clocks that lie", "order is by number; times are claims"),
    "H97": Attack("processes of two versions, or with two policies", "each request keeps its terms"),
    "H98": Attack("the secret or token of another app or workspace", "its payloads go no further"),
    "H100": Attack(
        "the machine's clock is 6 minutes off", "Slack's requests are 401, and the doctor says why"
    ),
    "H101": Attack("an agent runs wild", "a freeze stops claims at once and survives restarts"),
    "H102": Attack(
        "breaking the glass", "only who is named, with a reason, told in two places, looked at after"
    ),
    "H104": Attack("secrets in errors, logs and reprs", "left out"),
    "H105": Attack(
        "a mode without checks, left on", "there is none for who calls; the mode `off` says so itself"
    ),
    "H106": Attack("an upgrade while requests wait", "old buttons say how to go on; old permits ask again"),
    "I107": Attack("another tenant's id in a command, a call, a button", "unknown here"),
    "I109": Attack("one agent asks without end", "limits of its own; others are not counted for it"),
    "I110": Attack("two tenants in one channel", "a click that reaches the other's service finds nothing"),
    "I111": Attack("one tenant's key or permit in another", "bound to its tenant; not believed"),
    "I112": Attack("names in measures", "operations and counts only"),
    "I113": Attack("listening to everything", "an agent hears of its own requests only"),
    "I114": Attack(
        "a workspace brought by another browser, a state or code used twice", "nothing is installed"
    ),
    "I115": Attack("one workspace's tokens put in another's place", "not opened, and not served"),
    "I116": Attack(
        "a workspace that removed the app, or is said to have", "decides nothing; Slack itself is asked"
    ),
    "J1": Attack("a signed decision put beside another request", "not believed"),
    "J2": Attack("an older or foreign checkpoint put in place", "not gone on from; operators are told"),
    "J3": Attack("agents whose names look alike", "names are plain ASCII"),
    "J4": Attack("two argument names that differ in Unicode's form only", "two arguments, both shown"),
    "J5": Attack(
        "1, 1.0, 1e0, true, -0.0, 2^53+1", "equal JSON has one fingerprint; what isn't exact is refused"
    ),
    "J6": Attack("a name twice in a letter's JSON", "one reading for card, fingerprint and permit"),
    "J7": Attack("NaN, infinity, half characters, 100,000 levels", "refused with the place"),
    "J8": Attack("two lengths in one HTTP request", "400; what is smuggled isn't read"),
    "J9": Attack("a stream resumed from another agent's event", "only one's own events"),
    "J10": Attack("a token in the address", "401: addresses are logged by others"),
    "J11": Attack("`../`, `*` and blanks for a request's id", "no such request"),
    "J12": Attack("escape sequences and newlines for the operator's terminal and log", "shown by their code"),
    "J13": Attack("formulas in a CSV of the log", "text to a spreadsheet"),
    "J14": Attack("a value written to look like another argument", "stays one value"),
    "J15": Attack("a front end approves another call; an agent decides", "refused"),
    "J16": Attack("an MCP server changes a tool after it was approved", "doesn't run"),
    "J17": Attack("an agent writes “approve” as a person, with that person's token", "words decide nothing"),
    "J18": Attack("names of tenants and agents that reach into others' keys", "refused"),
    "J19": Attack("an agent writes itself into a rule that is proposed", "stays a text"),
    "J20": Attack("a schema's pattern that explodes", "never tried"),
    "J21": Attack(
        "the Redis password of an agent or of the service in wrong hands", "an ACL keeps it to its own keys"
    ),
    "J22": Attack("a key of one's own written into Redis", "agents don't believe it"),
    "J23": Attack(
        "another person's SSH key or passkey, a removed one, one that was put into Redis", "decides nothing"
    ),
    "J24": Attack(
        "a signature, or a passkey's answer, for another call, verb, note, purpose or page, or once more",
        "decides nothing, and is logged",
    ),
    "J25": Attack("an SSH signature that was cut or changed, or by a key of another kind", "is none"),
    "J26": Attack("a passkey that counts back, or a key that nobody touched", "decides nothing"),
}

# What is on the list of known attacks, and what we don't stand against, or needn't.
LEFT_OUT: dict[str, str] = {
    "B43": "what a path, an address or a tag in the args leads to is not part of the call: approvals bind the"
    " args. Pass content, or its hash",
    "F88": "encoded or minified text is shown whole and isn't told apart. A rule may raise the risk of tools"
    " that take such text",
}
