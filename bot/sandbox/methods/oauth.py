"""oauth.v2.access, auth.revoke: how an app comes by its tokens, and gives them back."""

from __future__ import annotations

from bot.sandbox.methods.arguments import Method, flag, required, text
from bot.sandbox.wire import Json, SlackError
from bot.sandbox.workspace import Change
from bot.sandbox.world import World


def access(world: World, args: Json) -> Json:
    """Tokens for a code, or for a refresh token."""
    if text(args, "grant_type") == "refresh_token":
        issued = world.tokens.refresh(required(args, "refresh_token", "invalid_refresh_token"))
    else:
        issued = world.tokens.redeem(required(args, "code", "invalid_code"), text(args, "redirect_uri") or "")
        issued["authed_user"] = {"id": "U0ANA"}
    app = world.app
    return {
        **issued,
        "token_type": "bot",
        "scope": ",".join(sorted(app.scopes or ())),
        "bot_user_id": app.bot_user,
        "app_id": app.app_id,
        "team": None if app.is_org_wide else {"id": app.team_id, "name": world.workspace.name},
        "enterprise": app.enterprise_id and {"id": app.enterprise_id, "name": "Acme Group"},
        "is_enterprise_install": app.is_org_wide,
    }


def revoke(world: World, args: Json) -> Json:
    token = required(args, "caller")
    if flag(args, "test"):
        return {"revoked": False}
    world.tokens.revoke(token)
    world.workspace.announce(Change(kind="revoked"))
    return {"revoked": True}


def looked_for(args: Json) -> str:
    """What tells whose tokens a call of oauth.v2.access is about."""
    if text(args, "grant_type") == "refresh_token":
        return required(args, "refresh_token", "invalid_refresh_token")
    return required(args, "code", "invalid_code")


def not_found(args: Json) -> SlackError:
    return SlackError("invalid_refresh_token" if text(args, "grant_type") else "invalid_code")


METHODS = {
    "oauth.v2.access": Method(access, tier=4, needs="client"),
    "auth.revoke": Method(revoke, tier=3, needs="itself"),
}
