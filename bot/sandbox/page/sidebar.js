// The left side: the app's Home, channels, conversations. Unread ones are bold, with a count.

import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { openMenu } from "./menus.js";
import { avatar, openDm } from "./people.js";
import { canSignIn, channelName, kindOf, nameOf, theApp, workspace } from "./workspace.js";

export function makeSidebar({ close }) {
  const node = h("nav", { class: "sidebar", id: "sidebar", "aria-label": "Channels and conversations", data: { testid: "sidebar" } });
  const draw = () => replace(node, parts());
  node.addEventListener("click", (event) => { if (event.target.closest("a")) close(); });
  return { node, draw };
}

function parts() {
  const app = theApp();
  const channels = [...workspace.channels.values()];
  const rooms = channels.filter((channel) => channel.kind === "channel" || channel.kind === "private");
  const talks = channels.filter((channel) => channel.kind === "dm" || channel.kind === "mpim");
  return [
    h("div", { class: "team" }, h("span", { class: "team-name" }, workspace.team.name), h("span", { class: "team-note" }, "Sandbox workspace")),
    // People of another company see the app's messages, not the app.
    app && workspace.me.kind !== "external" && section("Apps", [row({ id: "home", name: nameOf(app.id), before: avatar(app, 20), current: workspace.place?.kind === "home" })]),
    section("Channels", rooms.filter((channel) => !channel.is_archived).sort(byName).map(channelRow)),
    section("Direct messages", talks.sort(byName).map(channelRow), startDm()),
    rooms.some((channel) => channel.is_archived) && section("Archived", rooms.filter((channel) => channel.is_archived).map(channelRow)),
  ];
}

const byName = (one, other) => (channelName(one.id) ?? "").localeCompare(channelName(other.id) ?? "");

const section = (title, rows, button = null) => h("section", { "aria-label": title },
  h("div", { class: "side-title" }, h("h2", {}, title), button), h("ul", {}, rows));

function channelRow(channel) {
  const other = channel.kind === "dm" ? workspace.users.get(channel.with) : null;
  const before = other ? avatar(other, 20) : icon(channel.kind === "private" ? "lock" : "hash", 16);
  return row({
    id: channel.id, name: channelName(channel.id), before, unread: channel.unread,
    quiet: channel.is_member === false || channel.is_archived,
    current: workspace.place?.kind === "channel" && workspace.place.id === channel.id,
  });
}

function row({ id, name, before, current, unread = 0, quiet = false }) {
  const said = unread ? `${name}, ${unread} unread` : null;
  return h("li", {}, h("a", {
    href: `#${workspace.me.id}/${id}`, class: `side-row ${unread ? "unread" : ""} ${quiet ? "quiet" : ""}`, "aria-current": current ? "page" : null,
    "aria-label": said, data: { channel: id },
  }, before, h("span", { class: "side-name" }, name), unread > 0 && h("span", { class: "count", "aria-hidden": "true" }, String(unread))));
}

function startDm() {
  const open = (event) => openMenu(event.currentTarget, { label: "Write to", wide: true, items: [...workspace.users.values()]
    .filter((user) => user.id !== workspace.me.id && (canSignIn(user) || user.is_bot))
    .map((user) => ({ label: nameOf(user.id), description: kindOf(user), before: avatar(user, 24), hook: user.id, run: () => openDm(user.id) })) });
  return h("button", { type: "button", class: "icon-button", "aria-label": "Write to somebody", title: "Write to somebody", "aria-haspopup": "menu", onclick: open }, icon("plus", 16));
}
