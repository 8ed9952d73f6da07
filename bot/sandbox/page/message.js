// One message: who, when, what, and what can be done with it. It is drawn once and then changed in place.

import { renderBlocks } from "./blocks.js";
import { fromTs, fullTime, replyAge, time } from "./clock.js";
import { h, keepingFocus, replace } from "./dom.js";
import { emoji } from "./emoji.js";
import { fileCards } from "./files.js";
import { icon } from "./icons.js";
import { openMenu } from "./menus.js";
import { decode, mrkdwn } from "./mrkdwn.js";
import { notice } from "./notices.js";
import { avatar, badge, nameButton } from "./people.js";
import { act, sentence } from "./server.js";
import { Surface } from "./surface.js";
import { nameOf, workspace } from "./workspace.js";

/** Returns {node, message, update(message), setCompact(bool)}. `openThread(ts)` is absent inside a thread. */
export function makeMessage(first, { openThread = null } = {}) {
  const node = h("article", { class: "message", tabindex: "-1", data: { ts: first.ts, testid: "message" } });
  const content = h("div", { class: "message-content" });
  const surface = new Surface({ type: "message", channel: first.channel, ts: first.ts }, content, () => keepingFocus(node, draw));
  const view = { node, message: first, update, setCompact };

  function update(message) {
    view.message = message;
    keepingFocus(node, draw);
  }

  function setCompact(compact) {
    node.classList.toggle("compact", compact);
  }

  function draw() {
    const { message } = view;
    const user = workspace.users.get(message.user);
    const name = nameFor(message);
    node.setAttribute("aria-label", `${name}, ${time(fromTs(message.ts))}`);
    node.classList.toggle("ephemeral", Boolean(message.ephemeral));
    node.classList.toggle("mentions-me", (message.text ?? "").includes(`<@${workspace.me.id}`));
    replace(content, body(message, surface), message.files?.length ? fileCards(message.files) : null, reactions(message), openThread && repliesLink(message, openThread));
    replace(node, message.ephemeral && onlyYou(), h("div", { class: "message-row" },
      h("div", { class: "message-gutter" }, avatar(user), h("time", { class: "gutter-time", "aria-hidden": "true" }, shortTime(message))),
      h("div", { class: "message-main" }, head(message, user, name), content)), toolbar(view, openThread));
  }

  draw();
  return view;
}

export const nameFor = (message) => message.username || nameOf(message.user);

const shortTime = (message) => time(fromTs(message.ts)).replace(/\s?[AP]M$/i, "");

const onlyYou = () => h("div", { class: "only-you" }, icon("eye", 14), "Only visible to you");

function head(message, user, name) {
  const date = fromTs(message.ts);
  return h("div", { class: "message-head" }, nameButton(message.user, name), badge(user, Boolean(message.bot_id) || user?.is_bot),
    h("time", { class: "message-time", datetime: date.toISOString(), title: fullTime(date) }, time(date)));
}

function body(message, surface) {
  // Slack shows “(edited)” on people's messages, and not on those with blocks.
  if (message.blocks?.length) return h("div", { class: "blocks" }, renderBlocks(message.blocks, surface));
  const edited = message.edited ? h("span", { class: "edited" }, " (edited)") : null;
  return message.text || edited ? h("div", { class: "mrkdwn message-text" }, mrkdwn(message.text), edited) : null;
}

function reactions(message) {
  if (!message.reactions?.length) return null;
  const counts = new Map();
  for (const { name } of message.reactions) counts.set(name, (counts.get(name) ?? 0) + 1);
  return h("div", { class: "reactions" }, [...counts].map(([name, count]) => h("span", { class: "reaction" }, emoji(name) ?? `:${name}:`, ` ${count}`)));
}

function repliesLink(message, openThread) {
  if (!message.reply_count) return null;
  const people = (message.reply_users ?? []).slice(0, 5).map((id) => avatar(workspace.users.get(id), 24));
  const count = message.reply_count === 1 ? "1 reply" : `${message.reply_count} replies`;
  const latest = message.latest_reply && h("span", { class: "replies-latest" }, `Last reply ${replyAge(fromTs(message.latest_reply))}`);
  return h("button", { type: "button", class: "replies", data: { testid: "replies" }, onclick: () => openThread(message.ts) },
    people, h("span", { class: "replies-count" }, count), latest);
}

function toolbar(view, openThread) {
  if (view.message.ephemeral) return null; // nobody can answer what only one person sees
  const more = (event) => openMenu(event.currentTarget, { label: "More actions", items: moreActions(view.message) });
  return h("div", { class: "message-tools", role: "group", "aria-label": "Message actions" },
    openThread && h("button", { type: "button", class: "tool", "aria-label": "Reply in thread", title: "Reply in thread", data: { testid: "reply" }, onclick: () => openThread(view.message.ts) }, icon("reply", 18)),
    h("button", { type: "button", class: "tool", "aria-label": "More actions", title: "More actions", "aria-haspopup": "menu", data: { testid: "more-actions" }, onclick: more }, icon("dots", 18)));
}

function moreActions(message) {
  const shortcuts = workspace.shortcuts.filter((shortcut) => shortcut.type === "message").map((shortcut) => ({
    label: shortcut.name, description: "Message shortcut", before: icon("bolt", 18), hook: shortcut.callback_id, run: () => runShortcut(shortcut, message),
  }));
  const copy = { label: "Copy text", before: icon("file", 18), run: () => navigator.clipboard?.writeText(decode(message.text ?? "")) };
  return [...shortcuts, copy];
}

export async function runShortcut(shortcut, message = null) {
  const where = message ? { channel: message.channel, ts: message.ts } : {};
  const result = await act(workspace.me.id, "shortcut", { callback_id: shortcut.callback_id, ...where });
  if (!result.ok) notice(sentence(result), "error");
}
