// How a person appears: a square with initials, a name, and a mark for whoever is not an ordinary member.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { openMenu } from "./menus.js";
import { act, sentence } from "./server.js";
import { notice } from "./notices.js";
import { kindOf, nameOf, workspace } from "./workspace.js";

export function avatar(user, size = 36) {
  const node = h("span", { class: `avatar avatar-${size}`, "aria-hidden": "true" }, user?.avatar?.initials ?? "?");
  if (user?.avatar?.color) node.style.setProperty("--avatar", user.avatar.color.replace(/^#?/, "#"));
  if (user?.is_bot) node.classList.add("avatar-app");
  return node;
}

const BADGES = { guest: "Guest", single_guest: "Guest", external: "External", deactivated: "Deactivated" };

export function badge(user, isApp = user?.is_bot) {
  if (isApp) return h("span", { class: "badge", data: { testid: "app-badge" } }, "APP");
  return BADGES[user?.kind] ? h("span", { class: "badge badge-soft" }, BADGES[user.kind]) : null;
}

/** A name that opens a small card: who this is, their local time, and a way to write to them. */
export function nameButton(userId, shown) {
  const user = workspace.users.get(userId);
  if (!user) return h("span", { class: "name" }, shown);
  const open = (event) => openMenu(event.currentTarget, { label: `About ${nameOf(userId)}`, wide: true, items: [
    { heading: card(user) },
    ...(userId === workspace.me.id || user.kind === "deactivated" ? [] : [{ label: "Message", before: icon("reply", 18), run: () => openDm(userId) }]),
  ] });
  return h("button", { type: "button", class: "name", "aria-haspopup": "menu", onclick: open }, shown);
}

function card(user) {
  const clock = user.tz && !user.is_bot ? new Intl.DateTimeFormat(undefined, { timeZone: user.tz, timeStyle: "short" }).format(new Date()) : null;
  return h("span", { class: "person-card" }, avatar(user, 48), h("span", {},
    h("strong", {}, user.real_name || nameOf(user.id)), " ", h("span", { class: "quiet" }, kindOf(user)), h("br"),
    user.title && [user.title, h("br")], clock && h("span", { class: "quiet" }, `${clock} local time`)));
}

/** Opens (or makes) the conversation with somebody and goes there. */
export async function openDm(userId) {
  const result = await act(workspace.me.id, "open_dm", { user: userId });
  const id = result.channel?.id ?? result.channel;
  if (result.ok && id) location.hash = `${workspace.me.id}/${id}`;
  else notice(sentence(result), "error");
}
