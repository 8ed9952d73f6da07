"""What Slack sends, parsed once into small values. The only module that knows Slack's JSON.

Nothing in it is trusted further than that Slack sent it: ids are looked up again, rights checked elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from approvals.errors import ApprovalsError
from approvals.model import Assurance, Evidence, PersonId

_APART = "\n"  # between a dialog's own metadata and what lies beneath it


class Malformed(ApprovalsError):
    """An interaction that lacks what Slack always sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Whose app a payload is for: a workspace's, or that of a whole organisation at once."""

    team: str | None
    enterprise: str | None
    is_org_wide: bool

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Addressee:
        team, enterprise = body.get("team"), body.get("enterprise")
        granted = body.get("authorizations") or [{}]  # of events alone
        is_org_wide = body.get("is_enterprise_install", granted[0].get("is_enterprise_install"))
        return cls(
            team=team.get("id") if isinstance(team, dict) else body.get("team_id"),
            enterprise=enterprise.get("id") if isinstance(enterprise, dict) else body.get("enterprise_id"),
            is_org_wide=is_org_wide in (True, "true"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The person behind an interaction: `team` is their own, which the installed one need not be."""

    id: PersonId
    team: str | None
    through: str | None = None  # the approver front end on which they do it; None: Slack, or a terminal
    assurance: Assurance = Assurance.CLICK  # how sure it is that it is they
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The dialogs under the one that something was done in, and what is to be drawn anew at the bottom."""

    root_id: str = ""
    previous_id: str | None = None  # right under it; None: nothing is
    beneath: str = ""  # what `laid_on` wrote

    @classmethod
    def parse(cls, view: dict[str, Any] | None) -> Stack:
        if view is None:
            return cls()
        previous_id, metadata = view.get("previous_view_id"), str(view.get("private_metadata", ""))
        return cls(
            root_id=str(view.get("root_view_id") or ""),
            previous_id=None if previous_id is None else str(previous_id),
            beneath=metadata.partition(_APART)[2],
        )


def laid_on(view: dict[str, Any], beneath: str) -> dict[str, Any]:
    """A dialog that is put on top of another, and remembers what that one showed."""
    own = str(view["private_metadata"]).partition(_APART)[0]
    return {**view, "private_metadata": f"{own}{_APART}{beneath}"} if beneath else view


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A press of a button, a choice in a menu, on a message or in a dialog."""

    who: Who
    action_id: str
    value: str
    trigger_id: str
    response_url: str | None  # absent in dialogs and on the Home tab
    channel: str | None
    message_ts: str | None
    view_id: str | None
    is_home: bool
    is_private: bool = False  # on a message that only this person sees
    block_id: str = ""
    metadata: str = ""  # of the dialog or Home tab
    view_hash: str | None = None  # of the dialog as the person saw it
    stack: Stack = Stack()

    @property
    def is_in_dialog(self) -> bool:
        return self.view_id is not None and not self.is_home

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Click:
        try:
            (action,) = body["actions"]
            view = body.get("view")
            return cls(
                who=_who(body["user"]),
                action_id=str(action["action_id"]),
                value=_chosen(action),
                trigger_id=str(body.get("trigger_id", "")),
                response_url=body.get("response_url"),
                channel=(body.get("channel") or {}).get("id"),
                message_ts=(body.get("message") or {}).get("ts")
                or (body.get("container") or {}).get("message_ts"),
                view_id=view["id"] if view else None,
                is_home=view is not None and view.get("type") == "home",
                is_private=bool((body.get("container") or {}).get("is_ephemeral")),
                block_id=str(action.get("block_id", "")),
                metadata=str(view.get("private_metadata", "")) if view else "",
                view_hash=view.get("hash") if view else None,
                stack=Stack.parse(view),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Malformed("a click without the parts that Slack always sends") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A dialog that a person sent off."""

    who: Who
    callback_id: str
    metadata: str
    values: dict[str, dict[str, dict[str, Any]]]  # block id → action id → the element's state
    view_id: str
    trigger_id: str
    stack: Stack = Stack()

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Submitted:
        try:
            view = body["view"]
            return cls(
                who=_who(body["user"]),
                callback_id=str(view["callback_id"]),
                metadata=str(view["private_metadata"]).partition(_APART)[0],
                values=dict(view["state"]["values"]),
                view_id=str(view["id"]),
                trigger_id=str(body.get("trigger_id", "")),
                stack=Stack.parse(view),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Malformed("a dialog without the parts that Slack always sends") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Slash:
    """A slash command as typed."""

    who: Who
    command: str
    words: list[str]
    text: str
    channel: str
    trigger_id: str
    response_url: str | None

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Slash:
        try:
            text = unescaped(str(body.get("text") or "")).strip()
            return cls(
                who=Who(
                    id=PersonId(str(body["user_id"])), team=None
                ),  # its team is the channel's: ask users.info
                command=str(body["command"]),
                words=text.split(),
                text=text,
                channel=str(body.get("channel_id", "")),
                trigger_id=str(body.get("trigger_id", "")),
                response_url=body.get("response_url"),
            )
        except (KeyError, TypeError) as error:
            raise Malformed("a slash command without the parts that Slack always sends") from error

    def rest(self, skip: int) -> str:
        """The text after the first `skip` words, as typed."""
        parts = self.text.split(maxsplit=skip)
        return parts[skip] if len(parts) > skip else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """A shortcut from a message's menu, or a global one."""

    who: Who
    trigger_id: str
    channel: str | None
    message_ts: str | None
    thread_ts: str | None
    response_url: str | None

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Shortcut:
        try:
            message = body.get("message") or {}
            return cls(
                who=_who(body["user"]),
                trigger_id=str(body["trigger_id"]),
                channel=(body.get("channel") or {}).get("id"),
                message_ts=message.get("ts"),
                thread_ts=message.get("thread_ts"),
                response_url=body.get("response_url"),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise Malformed("a shortcut without the parts that Slack always sends") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message that a person wrote."""

    who: Who
    channel: str
    ts: str
    thread_ts: str | None
    text: str

    @classmethod
    def parse(cls, event: dict[str, Any]) -> Said | None:
        """None for what no person wrote: bots' messages, edits, deletions, joins."""
        if event.get("bot_id") or event.get("subtype") not in (None, "thread_broadcast", "file_share"):
            return None
        try:
            return cls(
                who=Who(id=PersonId(str(event["user"])), team=event.get("user_team") or event.get("team")),
                channel=str(event["channel"]),
                ts=str(event["ts"]),
                thread_ts=event.get("thread_ts"),
                text=unescaped(str(event.get("text") or "")).strip(),
            )
        except KeyError as error:
            raise Malformed("a message event without the parts that Slack always sends") from error


def unescaped(text: str) -> str:
    """What the person typed: Slack escapes exactly these three characters."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _who(user: dict[str, Any]) -> Who:
    return Who(id=PersonId(str(user["id"])), team=user.get("team_id"))


def _chosen(action: dict[str, Any]) -> str:
    selected = action.get("selected_option") or {}
    return str(action.get("value") or selected.get("value") or "")
