// Puts the page together: who looks (from the address), what they look at, and which part hears of what.
//
// The address is #PERSON/PLACE, or #PERSON/CHANNEL/THREAD: two tabs can be two people, and “back” works.

import { makeChannel } from "./channel.js";
import { byId, h, replace } from "./dom.js";
import { makeHome } from "./home.js";
import { listen } from "./live.js";
import { closeMenu } from "./menus.js";
import { nameFor } from "./message.js";
import { announce, notice } from "./notices.js";
import { act, messages, sentence, snapshot } from "./server.js";
import { makeSidebar } from "./sidebar.js";
import { makeStrip } from "./strip.js";
import { makeThread } from "./thread.js";
import { showView } from "./views.js";
import { canSignIn, channelName, load, nameOf, place, theApp, workspace } from "./workspace.js";

const FIRST_PERSON = "U0ANA";
const FIRST_PLACE = "C0APPROVALS";

const sidebar = makeSidebar({ close: () => openSidebar(false) });
const strip = makeStrip({ toggleSidebar: () => openSidebar(!document.body.classList.contains("sidebar-open")), become });
const stage = h("main", { class: "stage" });
const side = h("div", { class: "side" });
const veil = h("div", { class: "veil", onclick: () => openSidebar(false) });

let hangUp = null;
let channelPane = null;
let threadPane = null;
let homePane = null;

function openSidebar(open) {
  document.body.classList.toggle("sidebar-open", open);
  strip.menu.setAttribute("aria-expanded", String(open));
  if (open) sidebar.node.querySelector("[aria-current], a")?.focus();
}

function address() {
  const [person, where, thread] = location.hash.slice(1).split("/").map(decodeURIComponent);
  return { person: person || FIRST_PERSON, where: where || null, thread: thread || null };
}

function become(userId) {
  const { where } = address();
  location.hash = `${userId}/${where ?? FIRST_PLACE}`;
}

/** Follow the address. A new person means a new connection; a new place only new panes. */
async function follow() {
  closeMenu();
  const { person } = address();
  if (workspace.me?.id !== person) return signIn(person);
  await goTo(address());
}

async function signIn(person) {
  hangUp?.();
  workspace.me = null;
  showView(null);
  const found = await snapshot(person);
  if (address().person !== person) return;
  if (found.ok ? !canSignIn(found.me) : found.error !== "unreachable") {
    notice(`There is nobody called “${person}” here who can sign in.`, "error");
    if (person !== FIRST_PERSON) location.hash = FIRST_PERSON;
    return;
  }
  hangUp = listen(person, { hear, state: strip.connected, catchUp: () => catchUp(person) });
}

/** Load everything anew: at the start, for another person, and after the connection was away. */
async function catchUp(person) {
  const found = await snapshot(person);
  if (address().person !== person) return false;
  if (!found.ok) return false;
  const again = workspace.me?.id === person;
  load(found);
  if (again) return refreshAll(found);
  if (!strip.node.isConnected) replace(byId("app"), strip.node, h("div", { class: "frame" }, sidebar.node, veil, stage, side));
  strip.draw();
  workspace.place = null;
  closeThread();
  await goTo(address());
  showView(found.open_view ?? null, found.depth);
  return true;
}

/** After a lost connection: everything may have changed, and nobody's scrolling or typing should. */
async function refreshAll(found) {
  strip.draw();
  sidebar.draw();
  homePane?.refresh();
  if (channelPane) {
    channelPane.header();
    await loadMessages(channelPane, workspace.place.id);
    channelPane?.refresh();
  }
  if (workspace.thread) {
    const { channel, ts } = workspace.thread;
    const replies = await messages(workspace.me.id, channel, ts);
    if (replies.ok && workspace.thread) workspace.replies = replies.messages;
    threadPane?.refresh();
  }
  showView(found.open_view ?? null, found.depth);
  return true;
}

/** What arrives live while the answer is on its way is newer than the answer. False when the person moved on. */
async function loadMessages(pane, id) {
  workspace.messages.set(id, []);
  const found = await messages(workspace.me.id, id);
  if (channelPane !== pane) return false;
  const live = workspace.messages.get(id) ?? [];
  const all = found.messages ?? [];
  live.forEach((message) => place(all, message));
  workspace.messages.set(id, all);
  if (!found.ok) notice(sentence(found), "error");
  return true;
}

async function goTo({ person, where, thread }) {
  if (where === "home" && theApp() && workspace.me.kind !== "external") goHome();
  else {
    if (where && !workspace.channels.has(where)) await syncChannels();
    const channel = workspace.channels.get(where) ?? workspace.channels.get(FIRST_PLACE) ?? [...workspace.channels.values()][0];
    if (!channel) return empty();
    if (channel.id !== where) { history.replaceState(null, "", `#${person}/${channel.id}`); }
    if (workspace.place?.id !== channel.id) await goToChannel(channel.id);
    await goToThread(channel.id, thread);
  }
  title();
}

function empty() {
  replace(stage, h("p", { class: "empty" }, `${nameOf(workspace.me.id)} is in no channel.`));
  sidebar.draw();
}

function goHome() {
  if (workspace.place?.kind === "home") return;
  workspace.place = { kind: "home", id: "home" };
  channelPane = null;
  closeThread();
  homePane = makeHome();
  replace(stage, homePane.node);
  sidebar.draw();
  tell("open_home");
}

async function goToChannel(id) {
  workspace.place = { kind: "channel", id };
  homePane = null;
  const pane = makeChannel(id, { openThread: (ts) => { location.hash = `${workspace.me.id}/${id}/${ts}`; } });
  channelPane = pane;
  replace(stage, pane.node);
  sidebar.draw();
  if (!(await loadMessages(pane, id))) return;
  pane.showMessages();
  read(id);
  if (window.matchMedia("(hover: hover) and (min-width: 768px)").matches) pane.node.querySelector("[data-testid=composer]")?.focus();
}

async function goToThread(channel, ts) {
  if (!ts) return closeThread();
  if (workspace.thread?.ts === ts) return;
  const found = await messages(workspace.me.id, channel, ts);
  if (!found.ok || !found.messages?.length) return closeThread();
  workspace.thread = { channel, ts };
  workspace.replies = found.messages;
  const opener = document.activeElement;
  threadPane = makeThread(workspace.thread, { close: () => { location.hash = `${workspace.me.id}/${channel}`; opener?.focus?.(); } });
  replace(side, threadPane.node);
  document.body.classList.add("thread-open");
  threadPane.showMessages();
  threadPane.focus();
}

function closeThread() {
  workspace.thread = null;
  workspace.replies = [];
  threadPane = null;
  side.replaceChildren();
  document.body.classList.remove("thread-open");
}

/** Tell the server something whose answer only matters when it failed. */
async function tell(what, details) {
  const result = await act(workspace.me.id, what, details);
  if (!result.ok) notice(sentence(result), "error");
}

function read(id) {
  const channel = workspace.channels.get(id);
  if (!channel?.unread || document.hidden) return;
  channel.unread = 0;
  sidebar.draw();
  act(workspace.me.id, "mark_read", { channel: id });
}

const HEAR = {
  message: ({ message }) => heard(message, true),
  message_changed: ({ message }) => heard(message, false),
  message_deleted: ({ channel, ts }) => gone(channel, ts),
  view: ({ view, depth }) => showView(view, depth),
  home: ({ view }) => { workspace.home = view; homePane?.refresh(); },
  channel: ({ channel, old_id: old }) => channelChanged(channel, old),
  user: ({ user }) => userChanged(user),
  notice: ({ text, level }) => notice(text, level),
};

function hear(event) {
  HEAR[event.type]?.(event);
}

function heard(message, isNew) {
  const isReply = message.thread_ts && message.thread_ts !== message.ts;
  const here = workspace.place?.id === message.channel;
  const inThread = workspace.thread && (message.thread_ts === workspace.thread.ts || message.ts === workspace.thread.ts);
  if (!isReply && here) channelPane.add(message);
  else if (!isReply && workspace.messages.has(message.channel)) place(workspace.messages.get(message.channel), message);
  if (inThread) threadPane.add(message);
  const mine = message.user === workspace.me.id;
  if (!isNew || mine) return;
  if (here) announce(`${nameFor(message)}: ${message.text ?? ""}`);
  if (!isReply && !message.ephemeral) countUnread(message.channel, here);
}

/** The server counts too, but says so only in the snapshot. */
function countUnread(id, here) {
  const channel = workspace.channels.get(id);
  if (!channel) return syncChannels();
  if (!channel.is_member) return;
  channel.unread = (channel.unread ?? 0) + 1;
  if (here) read(id);
  sidebar.draw();
  title();
}

/** A conversation that this page has not heard of: somebody just began it. */
async function syncChannels() {
  const found = await snapshot(workspace.me.id);
  if (!found.ok || found.me.id !== workspace.me?.id) return;
  workspace.channels = new Map(found.channels.map((channel) => [channel.id, channel]));
  sidebar.draw();
  title();
}

function gone(channel, ts) {
  const without = (list) => list.filter((message) => message.ts !== ts);
  if (workspace.messages.has(channel)) workspace.messages.set(channel, without(workspace.messages.get(channel)));
  if (workspace.place?.id === channel) channelPane.refresh();
  if (workspace.thread?.ts === ts) { location.hash = `${workspace.me.id}/${channel}`; return; }
  workspace.replies = without(workspace.replies);
  threadPane?.refresh();
}

function channelChanged(channel, oldId) {
  const here = workspace.place?.id === (oldId ?? channel.id);
  if (oldId) workspace.channels.delete(oldId);
  if (channel.kind === "private" && !channel.is_member) workspace.channels.delete(channel.id);
  else workspace.channels.set(channel.id, channel);
  sidebar.draw();
  title();
  if (here && (oldId || !workspace.channels.has(channel.id))) location.hash = `${workspace.me.id}/${oldId ? channel.id : FIRST_PLACE}`;
  else if (here) channelPane.header();
}

function userChanged(user) {
  workspace.users.set(user.id, user);
  if (user.id === workspace.me.id) workspace.me = user;
  strip.draw();
  sidebar.draw();
}

function title() {
  const unread = [...workspace.channels.values()].reduce((sum, channel) => sum + (channel.unread ?? 0), 0);
  const where = workspace.place?.kind === "home" ? nameOf(theApp().id) : channelName(workspace.place?.id) ?? "";
  document.title = `${unread ? `(${unread}) ` : ""}${where} · ${nameOf(workspace.me.id)} · Sandbox workspace`;
}

window.addEventListener("hashchange", follow);
document.addEventListener("visibilitychange", () => { if (workspace.place?.kind === "channel") read(workspace.place.id); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") openSidebar(false); });
document.querySelector("[data-skip]").addEventListener("click", (event) => {
  // The address belongs to the person and place, so the link moves focus without it.
  event.preventDefault();
  document.querySelector("#messages, #home-panel")?.focus();
});
follow();
