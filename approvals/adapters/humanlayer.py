"""HumanLayer's names over ours: move over by importing them from here.

What its SDK (0.7, removed by its makers in 2025) called, took and returned. Who is asked, and where, is for
the policy alone: a contact channel only names the tool and its answers.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any, TypeAlias

from approvals.adapters import words
from approvals.client import Approvals
from approvals.errors import ApprovalsError, Expired, InvalidCall, NotApproved, Rejected
from approvals.gate import GateOptions
from approvals.submitting import TAG_CHARS, Options, Span

Function: TypeAlias = Callable[..., Any]

AGENT = "agent"  # HumanLayer's own name for one that has none


class HumanLayerException(ApprovalsError):
    """Two options have the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackContactChannel:
    channel_or_user_id: str = ""
    context_about_channel_or_user: str | None = None
    bot_token: str | None = None
    allowed_responder_ids: Sequence[str] | None = None
    experimental_slack_blocks: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailContactChannel:
    address: str = ""
    context_about_user: str | None = None
    subject: str | None = None
    experimental_subject_line: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SMSContactChannel:
    phone_number: str = ""
    context_about_user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppContactChannel:
    phone_number: str = ""
    context_about_user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactChannel:
    """Where HumanLayer would have asked. Here it only names the tool, and who has denied."""

    slack: SlackContactChannel | None = None
    sms: SMSContactChannel | None = None
    whatsapp: WhatsAppContactChannel | None = None
    email: EmailContactChannel | None = None

    def context(self) -> str | None:
        if self.slack:
            return self.slack.context_about_channel_or_user
        other = self.sms or self.whatsapp or self.email
        return other.context_about_user if other else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOption:
    name: str
    title: str | None = None
    description: str | None = None
    prompt_fill: str | None = None
    interactive: bool = False


class HumanLayerWrapper:
    """What `require_approval` returns: `@it`, or `it.wrap(function)`."""

    def __init__(self, decorator: Callable[[Function], Function]) -> None:
        self.wrap = decorator

    def __call__(self, function: Function) -> Function:
        return self.wrap(function)


class HumanLayer:
    """HumanLayer's class. Redis and the agent's name come from the environment, or with `approvals`."""

    def __init__(
        self,
        *,
        run_id: str | None = None,  # people see it as a tag
        agent_name: str | None = None,  # APPROVALS_AGENT goes before it: Redis knows the agent by that
        contact_channel: ContactChannel | None = None,
        approvals: Approvals | None = None,
        timeout: Span | None = None,  # of each wait; then StillPending is raised, and the request stays open
        verbose: bool = False,  # it and the rest meant HumanLayer's own service
        api_key: str | None = None,
        api_base_url: str | None = None,
        approval_method: object = None,
        genid: object = None,
        sleep: object = None,
    ) -> None:
        self.run_id, self.agent_name, self.contact_channel = run_id, agent_name, contact_channel
        self.approvals = approvals or Approvals.connect(agent=_agent(agent_name))
        self._timeout = timeout

    @classmethod
    def cloud(cls, connection: object = None, **options: Any) -> HumanLayer:
        return cls(**options)

    @classmethod
    def cli(cls, **options: Any) -> HumanLayer:
        """People are asked as always: on a terminal they answer with `countersign pending` and `approve`."""
        return cls(**options)

    def require_approval(
        self,
        contact_channel: ContactChannel | None = None,
        reject_options: Sequence[ResponseOption] | None = None,
    ) -> HumanLayerWrapper:
        """Let a function, async or not, run only once it is approved, with the args that were approved.

        When it isn't, its calls return a text for the model; when nobody could be asked, they raise.
        """
        _require_distinct("reject_options", reject_options)
        context = _context(contact_channel or self.contact_channel)
        options: GateOptions = {
            "reason": _listed("If not, say which:", reject_options),
            "tags": self._tags(),
            "timeout": self._timeout,
        }
        return HumanLayerWrapper(lambda function: self._gated(function, context, options))

    def human_as_tool(
        self,
        contact_channel: ContactChannel | None = None,
        response_options: Sequence[ResponseOption] | None = None,
    ) -> Function:
        """A function for a model: it asks people its `message`, and returns what they said."""
        _require_distinct("response_options", response_options)
        channel = contact_channel or self.contact_channel
        run = self.approvals.background.run

        def contact_human(message: str, subject: str | None = None) -> str:
            return run(self._asked(message, subject or _subject(channel), response_options))

        return _named(contact_human, channel)

    def _gated(self, function: Function, context: str | None, options: GateOptions) -> Function:
        gate = self.approvals.required(**options)(function)
        if inspect.iscoroutinefunction(function):
            return _telling_async(gate, context)
        return _telling(gate, context)

    async def _asked(
        self, message: str, subject: str | None, options: Sequence[ResponseOption] | None
    ) -> str:
        about: Options = {"tags": self._tags()}
        names = [option.name for option in options or ()]
        context = "\n".join(filter(None, (subject, _listed("", options))))
        try:
            return await self.approvals.ask(
                message, names or None, context or None, True, timeout=self._timeout, **about
            )
        except NotApproved as no:
            return _unanswered(no)

    def _tags(self) -> Sequence[str]:
        return [self.run_id[:TAG_CHARS]] if self.run_id else []


class AsyncHumanLayer(HumanLayer):
    """The same for async programs: every function that it returns is async, also around one that isn't."""

    def human_as_tool(
        self,
        contact_channel: ContactChannel | None = None,
        response_options: Sequence[ResponseOption] | None = None,
    ) -> Function:
        _require_distinct("response_options", response_options)
        channel = contact_channel or self.contact_channel

        async def contact_human(message: str, subject: str | None = None) -> str:
            return await self._asked(message, subject or _subject(channel), response_options)

        return _named(contact_human, channel)

    def _gated(self, function: Function, context: str | None, options: GateOptions) -> Function:
        if inspect.iscoroutinefunction(function):
            return super()._gated(function, context, options)

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return super()._gated(awaited, context, options)


def _telling(gate: Function, context: str | None) -> Function:
    @functools.wraps(gate)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return gate(*args, **kwargs)
        except Exception as error:
            return _text(gate.__name__, context, error)

    return told


def _telling_async(gate: Function, context: str | None) -> Function:
    @functools.wraps(gate)
    async def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return await gate(*args, **kwargs)
        except Exception as error:
            return _text(gate.__name__, context, error)

    return told


def _text(name: str, context: str | None, error: Exception) -> str:
    """What the model reads, as HumanLayer had it; an outage is never an answer, so that one is raised."""
    if isinstance(error, Rejected):
        who = f"User in {context}" if context else "User"
        return f"{who} denied {name} with message: {error.feedback or 'no reason given'}"
    if isinstance(error, NotApproved):
        return words.instead(error)
    if isinstance(error, CancelledError | ApprovalsError) and not isinstance(error, InvalidCall):
        raise error
    return f"Error running {name}: {error}"


def _unanswered(no: NotApproved) -> str:
    if isinstance(no, Expired):
        return "Nobody has answered in time, which is no answer."
    said = "Nobody has answered: the question was turned down." if isinstance(no, Rejected) else None
    return words.instead(no) if said is None else f"{said} {no.feedback or ''}".rstrip()


def _named(contact_human: Function, channel: ContactChannel | None) -> Function:
    """Name it after its channel, and let only mail have a subject, as HumanLayer did."""
    name, doc = "contact_human", "contact a human"
    takes = ["message", "subject"] if channel is None or channel.email else ["message"]
    if channel is not None and channel.slack:
        name, doc = "contact_human_in_slack", "Contact a human via slack and wait for a response"
        if context := channel.slack.context_about_channel_or_user:
            name, doc = f"{name}_in_{context}", f"{doc} in {context}"
    if channel is not None and channel.email:
        name, doc = "contact_human_via_email", "Contact a human via email and wait for a response"
        name = f"{name}_{channel.email.address}" if channel.email.address else name
    contact_human.__name__, contact_human.__doc__ = re.sub(r"\W+", "_", name, flags=re.ASCII), doc
    contact_human.__annotations__ = dict.fromkeys((*takes, "return"), str)
    parameters = inspect.signature(contact_human).parameters
    contact_human.__signature__ = Signature(  # type: ignore[attr-defined]  # read by inspect, and by frameworks
        [
            Parameter(one, parameters[one].kind, default=parameters[one].default, annotation=str)
            for one in takes
        ],
        return_annotation=str,
    )
    return contact_human


def _context(channel: ContactChannel | None) -> str | None:
    return channel.context() if channel else None


def _subject(channel: ContactChannel | None) -> str | None:
    mail = channel.email if channel else None
    return (mail.subject or mail.experimental_subject_line) if mail else None


def _listed(before: str, options: Sequence[ResponseOption] | None) -> str | None:
    if not options:
        return None
    lines = [
        f"{one.name}: {one.description or one.title}" if one.description or one.title else one.name
        for one in options
    ]
    return "\n".join(filter(None, (before, *lines)))


def _require_distinct(name: str, options: Sequence[ResponseOption] | None) -> None:
    names = [option.name for option in options or ()]
    if len(names) != len(set(names)):
        raise HumanLayerException(f"{name} must have unique names")


def _agent(name: str | None) -> str | None:
    """The name that Redis knows this agent by; None: as the environment says."""
    if os.environ.get("APPROVALS_AGENT"):
        return None
    return re.sub(r"[^a-z0-9_.-]+", "-", (name or AGENT).lower()).strip("-._")[:63] or AGENT
