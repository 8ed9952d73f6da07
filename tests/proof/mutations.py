"""Small ways to break our own scripts and rules: in which file, what stands there, what is put in its place.

Each must be noticed by a test of the files that are named for its source in WATCHED_BY.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    name: str
    path: str
    before: str  # stands in the file once
    after: str
    tests: tuple[str, ...] = ()  # where those of its file are not the ones


LUA, RULES, INBOX = "approvals/lua", "approvals/machine.py", "approvals/inbox.py"
COMMIT, CREATE = f"{LUA}/commit.lua", f"{LUA}/create.lua"
A, B, S = "tests/approvals", "tests/bot", "tests/stories"
FREEZING = (f"{B}/levers/test_freezing.py",)
BY_PHONE = (f"{S}/test_api.py::test_who_may_not_decide_in_slack_may_not_elsewhere",)
LOST_IT = (f"{S}/test_promises.py::test_5_a_right_that_is_lost_while_the_click_travels_is_lost",)
UNKNOWN = (f"{S}/test_promises.py::test_5_whom_slack_can_not_tell_us_of_is_refused_until_it_can",)
NOT_LET = (f"{S}/test_promises.py::test_5_outsiders_are_refused_told_so_and_logged",)
REPLY_LOST = (
    f"{S}/test_slack_trouble.py::test_a_card_whose_reply_was_lost_is_found_again_and_not_posted_twice",
)
SIGNED = (f"{A}/test_signed.py",)
GRANTING = (f"{S}/test_grants.py::test_calls_like_it_go_through_until_they_are_used_up",)

WATCHED_BY: dict[str, tuple[str, ...]] = {
    COMMIT: (f"{A}/test_store.py",),
    CREATE: (f"{A}/test_store.py",),
    f"{LUA}/claim.lua": (f"{A}/test_store.py", f"{A}/test_cards.py"),
    f"{LUA}/done.lua": (f"{A}/test_cards.py",),
    f"{LUA}/refuse.lua": (f"{A}/test_store.py",),
    f"{LUA}/note.lua": FREEZING,
    f"{LUA}/spend.lua": (f"{A}/test_budgets.py",),
    RULES: tuple(f"{A}/test_{name}.py" for name in ("machine", "machine_brakes", "override", "redirect")),
    "approvals/evolution.py": (f"{A}/test_machine.py", f"{A}/test_quorum.py"),
    "approvals/quorum.py": (f"{A}/test_machine.py", f"{A}/test_quorum.py"),
    "approvals/brakes.py": FREEZING,
    "approvals/audit.py": (f"{A}/test_audit.py",),
    "approvals/canonical.py": (f"{A}/test_canonical.py",),
    "approvals/dsse.py": (f"{A}/test_signed.py", f"{A}/test_dsse.py"),
    "approvals/signed.py": (f"{A}/test_signed.py", f"{A}/test_inbox.py"),
    "approvals/store.py": (f"{A}/test_store.py",),
    INBOX: (f"{A}/test_inbox.py",),
    "bot/intake.py": (f"{B}/test_intake.py",),
    "bot/people.py": NOT_LET,
    "bot/addresses.py": (f"{B}/test_addresses.py",),
    "bot/drawing/sending.py": REPLY_LOST,
}

# Tests that wait for nothing, so that they fail only for what they test.
CALM = {f"{A}/test_{name}.py" for name in ("audit", "canonical", "dsse", "quorum")}
CALM |= {*WATCHED_BY[RULES], f"{B}/test_addresses.py"}

SCRIPTS = (
    Mutation("no compare", COMMIT, "if version ~= expected then", "if false then"),
    Mutation("not the same twice", COMMIT, "if version == next_version and", "if false and"),
    Mutation("no look at freezes", COMMIT, "if is_given and (", "if false and (", FREEZING),
    Mutation("a taken permit is taken back", COMMIT, 'if permit == "!" and', "if false and"),
    Mutation(
        "no audit entry", COMMIT, 'redis.call("XADD", KEYS[5], seq .. "-0", "entry", entry)', "local _ = 0"
    ),
    Mutation("a number of the log twice", COMMIT, 'redis.call("SET", KEYS[6], seq)', ""),
    Mutation("no outcome", COMMIT, 'redis.call("SET", KEYS[7], outcome, "PX", keep)', ""),
    Mutation(
        "nobody is woken",
        COMMIT,
        'redis.call("XADD", KEYS[9], "MAXLEN", "~", 1000, "*", "id", id)\n',
        "\n",
    ),
    Mutation("nothing is to be drawn", COMMIT, 'redis.call("ZADD", KEYS[4], "NX", now, id)', ""),
    Mutation("the permit stays", COMMIT, 'if permit == "-" or permit == "!" then', "if false then"),
    Mutation("a permit for ever", COMMIT, ', "PXAT", until_ms', ""),
    Mutation("no time is kept", COMMIT, 'redis.call("ZADD", KEYS[3], due, id)', ""),
    Mutation("it stays pending", COMMIT, 'redis.call("ZREM", KEYS[2], id)', ""),
    Mutation("the letter stays", CREATE, "take_out_letter()\nreturn {1, short}", "return {1, short}"),
    Mutation("the second letter stays", CREATE, "take_out_letter()\n  return {0", "return {0"),
    Mutation("another agent's id", CREATE, "if owner and owner ~= agent then", "if false then"),
    Mutation("made twice", CREATE, "if owner then\n", "if false then\n"),
    Mutation("created past a freeze", CREATE, 'if permit ~= "-" and (', "if false and (", FREEZING),
    Mutation(
        "its submission is not logged",
        CREATE,
        'redis.call("XADD", KEYS[5], first .. "-0", "entry", submitted)',
        "local _ = 0",
    ),
    Mutation(
        "a grant without end",
        CREATE,
        "(count or 0) + 1 > tonumber(uses)",
        "false",
        (f"{A}/test_grants.py", *GRANTING),
    ),
    Mutation("no lease", f"{LUA}/claim.lua", "now + lease", "now"),
    Mutation("what is not due is taken", f"{LUA}/claim.lua", '"-inf", now,', '"-inf", "+inf",'),
    Mutation("ticked off in any version", f"{LUA}/done.lua", "version == drawn", "true"),
    Mutation("ticked off unposted", f"{LUA}/done.lua", "cjson.decode(posted).ts ~= cjson.null", "true"),
    Mutation("a refused letter stays", f"{LUA}/refuse.lua", 'redis.call("XDEL", KEYS[4], letter)', ""),
    Mutation("a refusal overwrites", f"{LUA}/refuse.lua", '"NX", "PX", keep', '"PX", keep'),
    Mutation("a refusal of another's", f"{LUA}/refuse.lua", '"agent") ~= agent', '"agent") ~= ""'),
    Mutation("a register without compare", f"{LUA}/note.lua", "if known ~= previous then", "if false then"),
    Mutation(
        "a register's version stays", f"{LUA}/note.lua", 'redis.call("HINCRBY", KEYS[4], "version", 1)', ""
    ),
    Mutation(
        "spent twice", f"{LUA}/spend.lua", 'if redis.call("ZSCORE", KEYS[1], who) then', "if false then"
    ),
    Mutation("a budget without limit", f"{LUA}/spend.lua", "total + amount <= limit", "true"),
)

THE_RULES = (
    Mutation(
        "a yes to another call",
        RULES,
        "raise ArgumentsChanged(request)\n    args = ",
        "pass\n    args = ",
    ),
    Mutation(
        "a change of another call",
        RULES,
        "raise ArgumentsChanged(request)\n    digest = ",
        "pass\n    digest = ",
    ),
    Mutation(
        "an override of another call",
        RULES,
        "raise ArgumentsChanged(request)\n    if not command.reason.strip():",
        "pass\n    if not command.reason.strip():",
    ),
    Mutation(
        "an answer to another call",
        RULES,
        "raise ArgumentsChanged(request)\n    if not command.text.strip():",
        "pass\n    if not command.text.strip():",
    ),
    Mutation(
        "no deadline",
        RULES,
        "    is_late = request.deadline is not None and now >= request.deadline",
        "    is_late = False",
    ),
    Mutation(
        "a moment too late",
        RULES,
        "    is_late = request.deadline is not None and now >= request.deadline",
        "    is_late = request.deadline is not None and now > request.deadline",
    ),
    Mutation(
        "anybody decides",
        RULES,
        "_require_approver(request, command.by)\n            _require_thawed",
        "_require_thawed",
    ),
    Mutation(
        "decided while frozen",
        RULES,
        "    if freeze is not None:\n        raise Frozen",
        "    if False:\n        raise Frozen",
    ),
    Mutation(
        "self-approval",
        RULES,
        "if person.id == request.on_behalf_of and not request.terms.self_approval:",
        "if False:",
    ),
    Mutation(
        "own request, no reason",
        RULES,
        "if person.id == request.on_behalf_of and note is None:\n        raise NothingSaid(request)  #",
        "if False:\n        raise NothingSaid(request)  #",
    ),
    Mutation("guests decide", RULES, "if person.barred and not (", "if False and not ("),
    Mutation(
        "all guests decide",
        RULES,
        "person.barred is Barred.GUEST and request.terms.guests",
        "person.barred is Barred.GUEST",
    ),
    Mutation(
        "one person counts twice",
        RULES,
        "if any(person.id in (vote.person, *vote.stands_for) for vote in votes):",
        "if False:",
    ),
    Mutation(
        "a deputy counts beside whom they stand for",
        RULES,
        "(vote.person, *vote.stands_for) for vote in votes",
        "(vote.person,) for vote in votes",
    ),
    Mutation("votes for another call count", RULES, "votes = () if is_edit else tuple(", "votes = tuple("),
    Mutation(
        "who has left counts",
        RULES,
        "for vote in request.votes if vote.person not in command.gone)\n    if any",
        "for vote in request.votes)\n    if any",
    ),
    Mutation(
        "claimed without an approval",
        RULES,
        "_require_status(request, Status.APPROVED, Status.LAPSED)",
        "pass",
    ),
    Mutation("a receipt of what never ran", RULES, "_require_status(request, Status.EXECUTING)", "pass"),
    Mutation(
        "taken back by anybody", RULES, "person.actor.id not in voters | {request.decision.by.id}", "False"
    ),
    Mutation(
        "silence lets a changed call run",
        RULES,
        "was_open = request.sent_back is None and request.changed_at is None and freeze is None",
        "was_open = freeze is None",
    ),
    Mutation(
        "silence thaws",
        RULES,
        "and request.changed_at is None and freeze is None",
        "and request.changed_at is None",
    ),
    Mutation("silence about what nobody saw", RULES, "return not command.was_shown", "return False"),
    Mutation(
        "broke the glass, looked themselves",
        RULES,
        "decision.word == Overridden.word and decision.by.id",
        "False and decision.by.id",
    ),
    Mutation(
        "anybody breaks the glass",
        RULES,
        "if not (person.principals - person.lent) & frozenset(request.terms.override):",
        "if False:",
    ),
    Mutation(
        "a deputy breaks the glass",
        RULES,
        "(person.principals - person.lent) & frozenset(request.terms.override)",
        "person.principals & frozenset(request.terms.override)",
    ),
    Mutation(
        "what has ended is decided",
        RULES,
        "    if not request.is_pending:\n        raise AlreadyResolved",
        "    if False:\n        raise AlreadyResolved",
    ),
    Mutation("one no is enough", RULES, "if len(others) + 1 >= request.terms.rejections:", "if True:"),
    Mutation("lapsed too early", RULES, "now < request.claim_by + CLAIM_GRACE", "False"),
    Mutation(
        "an edit keeps votes",
        "approvals/evolution.py",
        "        changed_at=event.at,\n        votes=(),\n",
        "        changed_at=event.at,\n",
    ),
    Mutation("a vote is lost", "approvals/evolution.py", "votes=(*edited.votes, vote)", "votes=(vote,)"),
    Mutation(
        "a revised call keeps its edit",
        "approvals/evolution.py",
        "return replace(revised, asked_args=None, sent_back=None",
        "return replace(revised, sent_back=None",
    ),
    Mutation(
        "a quorum of one",
        "approvals/quorum.py",
        "short = terms.quorum - len(votes)",
        "short = 1 - len(votes)",
    ),
    Mutation(
        "one person fills two groups",
        "approvals/quorum.py",
        "< room[name]:\n                filled[name].append(vote)\n                return True",
        "< room[name]:\n                filled[name].append(vote)",
    ),
    Mutation(
        "a freeze of all reaches nothing",
        "approvals/brakes.py",
        "        case Reach.ALL:\n            return True",
        "        case Reach.ALL:\n            return False",
    ),
    Mutation(
        "allowed while frozen",
        "approvals/brakes.py",
        "return replace(terms, action=Action.ASK, grant=None, because=because)",
        "return replace(terms, because=because)",
    ),
)

RECORDS = (
    Mutation(
        "a chain that is cut",
        "approvals/audit.py",
        "if known is not None and entry.previous != known:",
        "if False:",
    ),
    Mutation("a changed entry", "approvals/audit.py", "return digest(entry) == entry.hash", "return True"),
    Mutation("a missing entry", "approvals/audit.py", "if entry.seq > expected:", "if False:"),
    Mutation(
        "an entry cut off the end",
        "approvals/audit.py",
        "if last_seq is not None and expected <= last_seq:",
        "if False:",
    ),
    Mutation("a number JSON can't carry", "approvals/canonical.py", "abs(value) > SAFE_INTEGER", "False"),
    Mutation(
        "any signature",
        "approvals/dsse.py",
        "if not any(_holds(keys[each.keyid], each.sig, content) for each in known):",
        "if False:",
    ),
    Mutation(
        "a statement of another type",
        "approvals/dsse.py",
        "if envelope.payloadType != payload_type:",
        "if False:",
    ),
    Mutation("the type is not signed", "approvals/dsse.py", "kind = payload_type.encode()", 'kind = b""'),
    Mutation(
        "a forged permit",
        INBOX,
        "check_permit(permit, decision, self._tenant, self._agent, now)",
        "pass",
        SIGNED,
    ),
    Mutation("another request's permit", INBOX, "if permit.id != request_id:", "if False:", SIGNED),
    Mutation("the permit is only read", INBOX, "pipe.getdel(permit_key)", "pipe.get(permit_key)"),
    Mutation("nobody hears of the claim", INBOX, 'pipe.xadd(self._inbox, {"letter": notice})', "pass"),
    Mutation(
        "hints that were dropped unread are lost",
        INBOX,
        "return None if len(found) == WAKES_AT_ONCE else ids,",
        "return ids,",
        (f"{A}/test_client.py::test_a_wait_is_woken_though_its_hint_was_dropped_before_it_was_read",),
    ),
    Mutation("a letter stays when what it wants is done", COMMIT, 'if letter ~= "" then', "if false then"),
    Mutation("a key for another call", INBOX, "if first_fingerprint != fingerprint:", "if False:"),
    Mutation(
        "decided by an old clock",
        "approvals/store.py",
        "if clock.time() - began < FRESH_S else",
        "if True else",
    ),
    Mutation(
        "an agent's letter about another's",
        "bot/intake.py",
        "if request.agent != taken.agent:  # the same",
        "if False:  # the same",
        (f"{S}/test_promises.py::test_5_an_agent_can_do_nothing_with_the_id_of_another_agents_request",),
    ),
    Mutation(
        "letters overtake each other",
        "bot/intake.py",
        "is_first = not await self._inboxes.has_earlier(taken)",
        "is_first = True",
    ),
    Mutation(
        "who has left still counts",
        "bot/desk.py",
        "return replace(wanted, gone=await self._gone(request))",
        "return wanted",
        (f"{S}/test_quorum.py::test_a_yes_counts_no_more_when_its_giver_is_deactivated_before_the_next",),
    ),
    Mutation(
        "a dialog about another call",
        "bot/desk.py",
        "if not seen.fits(request):",
        "if False:",
        (f"{S}/test_promises.py::test_1_no_dialog_opens_for_a_call_that_was_revised",),
    ),
    Mutation(
        "Slack's guests count",
        "bot/people.py",
        "            return Barred.GUEST\n        return None",
        "            return None\n        return None",
    ),
    Mutation(
        "deactivated people count", "bot/people.py", "return Barred.DEACTIVATED", "return None", LOST_IT
    ),
    Mutation(
        "people of other organisations count",
        "bot/people.py",
        "return Barred.EXTERNAL",
        "return None",
        BY_PHONE,
    ),
    Mutation(
        "an unknown person decides",
        "bot/people.py",
        "principals=frozenset(), barred=Barred.UNKNOWN)",
        "principals=frozenset(principals_of(request)))",
        UNKNOWN,
    ),
    Mutation("any address is called", "bot/addresses.py", "if not receiver.may_be_at(address):", "if False:"),
    Mutation("the cloud's metadata is called", "bot/addresses.py", "if address in _METADATA or (", "if ("),
    Mutation(
        "any host is called",
        "bot/addresses.py",
        "if (receiver.scheme, receiver.host, receiver.port) == (scheme, host, port):",
        "if True:",
    ),
    Mutation(
        "a lost post is not looked for",
        "bot/drawing/sending.py",
        'if payload.get("id") == owner and payload.get("attempt") == posted.attempt:',
        "if False:",
    ),
    Mutation(
        "posted without saying so first",
        "bot/drawing/sending.py",
        "        await write(intended)\n        try:",
        "        try:",
    ),
)

MUTATIONS: tuple[Mutation, ...] = (*SCRIPTS, *THE_RULES, *RECORDS)
