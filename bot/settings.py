"""The environment, read once. A wrong variable stops the start, and the message names all that are wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from approvals.errors import ApprovalsError, InvalidCall
from approvals.model import Tenant
from approvals.redis_door import open_redis
from approvals.replicas import replicas_of
from blocks.replies import Commands
from bot.addresses import Receivers
from bot.stepping_up.sign_in import SLACK, Provider, is_safe
from bot.vault import SECRET_CHARS

SLACK_API_URL = "https://slack.com/api/"
HOST = "0.0.0.0"  # noqa: S104 - Slack and agents come in, whose calls are signed or bear tokens
PORT = 8400
_COMMAND = re.compile(
    r"/?[a-z0-9][a-z0-9_-]{0,30}"
)  # Slack's manifest: at most 32 characters, the slash included

Durability: TypeAlias = Literal["none", "everysec", "always", "replicated"]
Mode: TypeAlias = Literal["enforce", "shadow", "off"]
MODES: tuple[Mode, ...] = ("enforce", "shadow", "off")
DURABILITIES: tuple[Durability, ...] = ("none", "everysec", "always", "replicated")


class SettingsFault(ApprovalsError):
    """Some variables of the environment are missing or wrong; `problems` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(
            "The environment is not right yet:\n" + "\n".join(f"  - {line}" for line in problems)
        )
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackApp:
    """What the app is to Slack, where many workspaces install it."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    redis_url: str = field(repr=False)
    tenant: Tenant
    bot_token: str | None = field(repr=False)
    app_token: str | None = field(repr=False)
    signing_secret: str | None = field(repr=False)
    slack_api_url: str
    channel: str
    policy_path: str | None
    mode: Mode
    environment: str
    commands: Commands
    durability: Durability
    is_durability_asserted: bool
    replicas: int | None
    callbacks: Receivers
    host: str
    port: int
    secret: str | None = field(repr=False)
    secret_file: Path | None
    state: Path  # the folder for what this machine keeps of its own
    url: str | None  # where browsers reach this service
    sign_in: Provider | None  # who says who somebody is that signs in for one decision
    slack_app: SlackApp | None  # None: there is one workspace, the bot token's

    @property
    def can_step_up(self) -> bool:
        """Whether people can sign in for one decision."""
        return self.url is not None and self.sign_in is not None


Need: TypeAlias = Literal["redis", "token", "workspace"]


def read(env: Mapping[str, str], *, needs: Need) -> Settings:
    """Read every variable the service knows; `needs` says without which it would be useless.

    Redis always; "token" to ask Slack who somebody is; "workspace" to be clicked in as well.

    Raises:
        SettingsFault: with a sentence for each variable that is missing or wrong.
    """
    problems: list[str] = []
    settings = Settings(
        redis_url=_redis_url(env, problems),
        tenant=Tenant(_word(env, "APPROVALS_TENANT", problems)),
        bot_token=_token(env, "SLACK_BOT_TOKEN", "xoxb-", problems),
        app_token=_token(env, "SLACK_APP_TOKEN", "xapp-", problems),
        signing_secret=env.get("SLACK_SIGNING_SECRET") or None,
        slack_api_url=env.get("SLACK_API_URL", SLACK_API_URL).rstrip("/") + "/",
        channel=env.get("SLACK_CHANNEL") or "#approvals",
        policy_path=env.get("APPROVALS_POLICY") or None,
        mode=_mode(env, problems),
        environment=env.get("APPROVALS_ENVIRONMENT") or "default",
        commands=_commands(env, problems),
        durability=_durability(env, problems),
        is_durability_asserted=_is_asserted(env, problems),
        replicas=_replicas(env, problems),
        callbacks=_callbacks(env, problems),
        host=env.get("APPROVALS_HOST") or HOST,
        port=_port(env, problems),
        secret=_secret(env, problems),
        secret_file=Path(env["APPROVALS_SECRET_FILE"]) if env.get("APPROVALS_SECRET_FILE") else None,
        state=_state(env),
        url=_url(env, problems),
        sign_in=_sign_in(env, problems),
        slack_app=_slack_app(env, problems),
    )
    problems += _missing_slack(settings, needs)
    if problems:
        raise SettingsFault(problems)
    return settings


def _redis_url(env: Mapping[str, str], problems: list[str]) -> str:
    url = env.get("REDIS_URL", "")
    if not url:
        problems.append("REDIS_URL is not set; for example redis://localhost:6379/0")
        return url
    try:
        open_redis(url)  # connects to nothing
    except InvalidCall as error:
        problems.append(f"REDIS_URL: {error}")
    return url


def _token(env: Mapping[str, str], name: str, prefix: str, problems: list[str]) -> str | None:
    token = env.get(name) or None
    if token is not None and not token.startswith(prefix):
        problems.append(f"{name} must begin with {prefix}; what is set looks like another kind of token")
    return token


def _missing_slack(settings: Settings, needs: Need) -> list[str]:
    missing = []
    if settings.bot_token is None and settings.slack_app is None and needs != "redis":
        missing.append(
            "SLACK_BOT_TOKEN is not set: the bot token (xoxb-…) from “OAuth & Permissions” of your Slack app"
        )
    if settings.app_token is None and settings.signing_secret is None and needs == "workspace":
        missing.append(
            "neither SLACK_APP_TOKEN (xapp-…, Socket Mode, no public address needed) nor SLACK_SIGNING_SECRET"
            " (Slack over HTTP) is set"
        )
    return missing


def _word(env: Mapping[str, str], name: str, problems: list[str]) -> str:
    value = env.get(name) or "default"
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        problems.append(f"{name} may hold letters, digits, - and _ only, not {value!r}")
    return value


def _commands(env: Mapping[str, str], problems: list[str]) -> Commands:
    names = [name.strip() for name in env.get("APPROVALS_COMMANDS", "approve,reject,approvals").split(",")]
    if len(names) != 3 or len(set(names)) != 3 or not all(_COMMAND.fullmatch(name) for name in names):
        problems.append("APPROVALS_COMMANDS must be three different names, such as approve,reject,approvals")
        return Commands()
    approve, reject, approvals = (name.removeprefix("/") for name in names)
    return Commands(approve=approve, reject=reject, approvals=approvals)


def _durability(env: Mapping[str, str], problems: list[str]) -> Durability:
    value = env.get("APPROVALS_DURABILITY") or "none"
    for known in DURABILITIES:
        if value == known:
            return known
    problems.append(f"APPROVALS_DURABILITY must be one of {', '.join(DURABILITIES)}, not {value!r}")
    return "none"


def _is_asserted(env: Mapping[str, str], problems: list[str]) -> bool:
    value = env.get("APPROVALS_DURABILITY_ASSERTED") or "no"
    if value not in ("yes", "no"):
        problems.append(f"APPROVALS_DURABILITY_ASSERTED must be yes or no, not {value!r}")
    return value == "yes"


def _replicas(env: Mapping[str, str], problems: list[str]) -> int | None:
    try:
        return replicas_of(env.get("APPROVALS_REPLICAS"))
    except InvalidCall as error:
        problems.append(str(error))
        return None


def _callbacks(env: Mapping[str, str], problems: list[str]) -> Receivers:
    receivers = Receivers(env.get("APPROVALS_CALLBACKS") or "")
    try:
        receivers.all  # noqa: B018 - read for what is wrong with it
    except InvalidCall as error:
        problems.append(f"APPROVALS_CALLBACKS: {error}")
    return receivers


def _mode(env: Mapping[str, str], problems: list[str]) -> Mode:
    value = env.get("APPROVALS_MODE") or "enforce"
    if value == "shadow" and not env.get("APPROVALS_POLICY"):
        problems.append("APPROVALS_MODE=shadow tries a policy, so APPROVALS_POLICY must name its file")
    for known in MODES:
        if value == known:
            return known
    problems.append(f"APPROVALS_MODE must be one of {', '.join(MODES)}, not {value!r}")
    return "enforce"


def _port(env: Mapping[str, str], problems: list[str]) -> int:
    text = env.get("PORT") or str(PORT)
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    problems.append(f"PORT must be a number below 65536, not {text!r}")
    return PORT


def _secret(env: Mapping[str, str], problems: list[str]) -> str | None:
    secret = env.get("APPROVALS_SECRET") or None
    if secret is not None and len(secret) < SECRET_CHARS:
        problems.append(
            f"APPROVALS_SECRET must have at least {SECRET_CHARS} characters: openssl rand -base64 32"
        )
    if secret is not None and env.get("APPROVALS_SECRET_FILE"):
        problems.append("APPROVALS_SECRET and APPROVALS_SECRET_FILE are both set; which is it?")
    return secret


def _url(env: Mapping[str, str], problems: list[str]) -> str | None:
    url = (env.get("APPROVALS_URL") or "").rstrip("/")
    if not url:
        return None
    parts = urlsplit(url)
    if not is_safe(url) or parts.path or parts.query or parts.fragment:
        problems.append(f"APPROVALS_URL must be like https://approvals.example.com, not {url!r}")
    return url


def _sign_in(env: Mapping[str, str], problems: list[str]) -> Provider | None:
    client_id, secret = env.get("SLACK_CLIENT_ID"), env.get("SLACK_CLIENT_SECRET")
    if not client_id or not secret:
        return None
    issuer = env.get("APPROVALS_OIDC_ISSUER") or SLACK
    if not is_safe(issuer):
        problems.append(f"APPROVALS_OIDC_ISSUER must begin with https://, not {issuer!r}")
    return Provider(client_id=client_id, client_secret=secret, issuer=issuer)


def _slack_app(env: Mapping[str, str], problems: list[str]) -> SlackApp | None:
    client_id, secret = env.get("SLACK_CLIENT_ID"), env.get("SLACK_CLIENT_SECRET")
    if env.get("SLACK_BOT_TOKEN") or not client_id or not secret or not env.get("SLACK_SIGNING_SECRET"):
        return None
    if not env.get("APPROVALS_URL"):
        problems.append("APPROVALS_URL is not set: where browsers come back to that install the Slack app")
    return SlackApp(client_id=client_id, client_secret=secret)


def _state(env: Mapping[str, str]) -> Path:
    """Where programs keep what must survive and isn't configuration, by the XDG base directories."""
    home = Path(env.get("HOME") or Path.home())
    return Path(env.get("XDG_STATE_HOME") or home / ".local" / "state") / "countersign"
