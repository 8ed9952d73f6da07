"""users.*, usergroups.*, team.info, bots.info, auth.test: who is who."""

from __future__ import annotations

from bot.sandbox.methods import shapes
from bot.sandbox.methods.arguments import Method, flag, page, required, text
from bot.sandbox.wire import Json, SlackError
from bot.sandbox.world import World


def api_test(world: World, args: Json) -> Json:
    if error := text(args, "error"):
        raise SlackError(error, args=args)
    return {"args": args}


def auth_test(world: World, args: Json) -> Json:
    return {
        "url": f"{world.url}/", "team": world.workspace.name, "user": "countersign",
        "team_id": world.app.enterprise_id if world.app.is_org_wide else world.app.team_id,
        "user_id": world.app.bot_user, "bot_id": world.app.bot_id,
        **({"enterprise_id": world.app.enterprise_id} if world.app.enterprise_id else {}),
        "is_enterprise_install": world.app.is_org_wide,
    }  # fmt: skip


def user_info(world: World, args: Json) -> Json:
    who = world.workspace.users.get(required(args, "user", "user_not_found"))
    if who is None:
        raise SlackError("user_not_found")
    return {"user": shapes.user(world, who, locale=flag(args, "include_locale"))}


def user_list(world: World, args: Json) -> Json:
    found, metadata = page(args, list(world.workspace.users.values()))
    return {
        "members": [shapes.user(world, who) for who in found],
        "cache_ts": int(world.clock()),
        "response_metadata": metadata,
    }


def lookup_by_email(world: World, args: Json) -> Json:
    email = required(args, "email", "users_not_found").lower()
    for who in world.workspace.users.values():
        if who.email.lower() == email and not who.deleted and who.kind not in ("external", "bot"):
            return {"user": shapes.user(world, who)}
    raise SlackError("users_not_found")


def group_list(world: World, args: Json) -> Json:
    groups = [
        group
        for group in world.workspace.usergroups.values()
        if flag(args, "include_disabled") or not group.disabled
    ]
    return {
        "usergroups": [shapes.usergroup(world, group, users=flag(args, "include_users")) for group in groups]
    }


def group_users(world: World, args: Json) -> Json:
    group = world.workspace.usergroups.get(required(args, "usergroup", "no_such_subteam"))
    if group is None or (group.disabled and not flag(args, "include_disabled")):
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


def team_info(world: World, args: Json) -> Json:
    team = {
        "id": world.app.team_id, "name": world.workspace.name, "domain": world.workspace.domain,
        "email_domain": "acme.example", "icon": {}, "url": f"{world.url}/",
    }  # fmt: skip
    return {"team": team}


def bot_info(world: World, args: Json) -> Json:
    if text(args, "bot") not in (None, world.app.bot_id):
        raise SlackError("bot_not_found")
    return {"bot": shapes.bot(world)}


METHODS = {
    "api.test": Method(api_test, tier=4, needs=None),
    "auth.test": Method(auth_test, tier=600),
    "users.info": Method(user_info, tier=4, scope="users:read"),
    "users.list": Method(user_list, tier=2, scope="users:read"),
    "users.lookupByEmail": Method(lookup_by_email, tier=3, scope="users:read.email"),
    "usergroups.list": Method(group_list, tier=2, scope="usergroups:read"),
    "usergroups.users.list": Method(group_users, tier=2, scope="usergroups:read"),
    "team.info": Method(team_info, tier=3, scope="team:read"),
    "bots.info": Method(bot_info, tier=3, scope="users:read"),
}
