// The middle of the window: one channel or direct message, its header, its messages, and where to write.

import { makeComposer } from "./composer.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { openMenu } from "./menus.js";
import { runShortcut } from "./message.js";
import { makeMessageList } from "./message_list.js";
import { avatar, badge, openDm } from "./people.js";
import { act } from "./server.js";
import { channelName, kindOf, nameOf, place, workspace } from "./workspace.js";

/** Returns {node, header(), refresh(), add(message), showMessages()} for the channel with this id. */
export function makeChannel(channelId, { openThread }) {
  const scroller = h("div", { class: "scroller", id: "messages", tabindex: "-1" });
  const list = makeMessageList(scroller, `Messages in ${title(channelId)}`, { openThread });
  const head = h("header", { class: "pane-head" });
  const jump = h("button", { type: "button", class: "jump", hidden: true, onclick: () => { list.toBottom(); jump.hidden = true; } }, "New messages", icon("chevron", 14));
  const foot = h("div", { class: "pane-foot" });
  const intro = h("div", { class: "intro" });
  scroller.append(intro, list.node);
  scroller.addEventListener("scroll", () => { if (list.isAtBottom()) jump.hidden = true; });

  function header() {
    const channel = workspace.channels.get(channelId);
    if (!channel) return;
    replace(head, headerParts(channel));
    replace(intro, introParts(channel));
    if (!foot.firstChild || foot.dataset.state !== writeState(channel)) replace(foot, footer(channel));
    foot.dataset.state = writeState(channel);
  }

  const footer = (channel) => cannotWrite(channel) ?? makeComposer({
    key: channelId, channel, label: `Message ${title(channelId)}`, commands: true, runShortcut,
    say: (text) => act(workspace.me.id, "say", { channel: channelId, text }),
  }).node;

  function refresh() {
    list.steady(() => list.show(workspace.messages.get(channelId) ?? []));
  }

  function add(message) {
    const isNew = place(workspace.messages.get(channelId) ?? [], message);
    const mine = message.user === workspace.me.id;
    const followed = list.steady(() => list.show(workspace.messages.get(channelId) ?? []));
    if (isNew && mine) list.toBottom();
    else if (isNew && !followed) jump.hidden = false;
  }

  header();
  return {
    node: h("section", { class: "pane channel", "aria-label": title(channelId), data: { channel: channelId } }, head, h("div", { class: "pane-body" }, scroller, jump), foot),
    header, refresh, add, list,
    showMessages() { refresh(); list.toBottom(); },
  };
}

const title = (channelId) => {
  const channel = workspace.channels.get(channelId);
  return channel && (channel.kind === "dm" || channel.kind === "mpim") ? channelName(channelId) : `#${channelName(channelId) ?? channelId}`;
};

function headerParts(channel) {
  const other = channel.kind === "dm" ? workspace.users.get(channel.with) : null;
  const sign = other ? avatar(other, 24) : icon(channel.kind === "private" ? "lock" : "hash", 18);
  const members = (channel.members ?? []).map((id) => workspace.users.get(id)).filter(Boolean);
  const open = (event) => openMenu(event.currentTarget, { label: "Members", wide: true, items: members.map((user) => ({
    label: [nameOf(user.id), user.id === workspace.me.id ? " (you)" : ""], description: [kindOf(user), user.title].filter(Boolean).join(" · "),
    before: avatar(user, 24), disabled: null, run: () => { if (user.id !== workspace.me.id) openDm(user.id); },
  })) });
  return [
    h("h1", { class: "pane-title" }, sign, h("span", {}, channelName(channel.id)), other && badge(other)),
    channel.is_ext_shared && h("span", { class: "badge badge-soft" }, "Shared with another company"),
    channel.topic && h("span", { class: "topic", title: channel.topic }, channel.topic),
    !other && h("button", { type: "button", class: "members", "aria-haspopup": "menu", "aria-label": `${members.length} members`, data: { testid: "members" }, onclick: open },
      h("span", { class: "faces" }, members.slice(0, 3).map((user) => avatar(user, 24))), String(members.length)),
  ];
}

function introParts(channel) {
  if (channel.kind === "dm") {
    const other = workspace.users.get(channel.with);
    return [avatar(other, 48), h("p", {}, "This is the very beginning of your direct messages with ", h("strong", {}, nameOf(channel.with)), ".")];
  }
  return [h("h2", {}, icon(channel.kind === "private" ? "lock" : "hash", 24), channelName(channel.id)),
    h("p", {}, `This is the very beginning of ${title(channel.id)}.`)];
}

const writeState = (channel) => `${channel.is_archived}/${channel.is_member}`;

function cannotWrite(channel) {
  if (channel.is_archived) return h("p", { class: "no-composer" }, icon("lock", 16), "This channel is archived. You can read it; nobody can write in it.");
  if (channel.is_member === false) return h("p", { class: "no-composer" }, icon("eye", 16), `${nameOf(workspace.me.id)} is not in this channel.`);
  return null;
}
