// Slack's mrkdwn as DOM nodes: https://docs.slack.dev/messaging/formatting-message-text
// Fences first, then quotes, then what stands in a line. Whatever does not parse stays as it was typed.

import { fillDate } from "./clock.js";
import { h } from "./dom.js";
import { emoji, withEmoji } from "./emoji.js";
import { channelName, nameOf, workspace } from "./workspace.js";

/** Slack decodes these three and no others. */
export const decode = (text) => text.replace(/&(lt|gt|amp);/g, (_, name) => ({ lt: "<", gt: ">", amp: "&" })[name]);

/** A text object (mrkdwn or plain_text) as nodes. */
export function textObject(object) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text, { verbatim: object.verbatim });
  const text = decode(object.text ?? "");
  return lines(object.emoji === false ? text : withEmoji(text));
}

/** Plain text with its line breaks. */
export const lines = (text) => text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line]));

/** mrkdwn as nodes. With `verbatim`, bare addresses are not made into links. */
export function mrkdwn(text, { verbatim = false } = {}) {
  const nodes = [];
  // Odd pieces are the insides of fences.
  String(text ?? "").split(/```([\s\S]+?)```/g).forEach((piece, index) => {
    if (index % 2) nodes.push(h("pre", { class: "code-block" }, entitiesAsText(piece.replace(/^\n|\n$/g, ""))));
    else nodes.push(...quotesAndLines(index ? piece.replace(/^\n/, "") : piece, verbatim));
  });
  return nodes;
}

function quotesAndLines(text, verbatim) {
  const nodes = [];
  let quoted = [];
  let plain = [];
  const flush = () => {
    if (quoted.length) nodes.push(h("blockquote", {}, inline(quoted.join("\n"), verbatim)));
    if (plain.length) nodes.push(...inline(plain.join("\n"), verbatim));
    quoted = [];
    plain = [];
  };
  for (const line of text.split("\n")) {
    const quote = /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (Boolean(quote) !== quoted.length > 0 && (quoted.length || plain.length)) flush();
    if (quote) quoted.push(quote[1]);
    else plain.push(line);
  }
  flush();
  return nodes;
}

const STYLES = { "*": "strong", _: "em", "~": "s" };
const EDGES = Object.fromEntries(Object.keys(STYLES).map((marker) => [
  marker, new RegExp(`^[${marker}]([^\\s${marker}](?:[^\\n${marker}]*[^\\s${marker}])?)[${marker}](?![\\p{L}\\p{N}])`, "u"),
]));

/** Everything that may stand within a line, found left to right. */
export function inline(text, verbatim) {
  const nodes = [];
  let typed = "";
  let at = 0;
  const push = (node, length) => {
    if (typed) nodes.push(...lines(decode(typed)));
    typed = "";
    nodes.push(node);
    at += length;
  };
  while (at < text.length) {
    const rest = text.slice(at);
    const found = match(rest, text[at - 1], verbatim);
    if (found) push(found.node, found.length);
    else { typed += text[at]; at += 1; }
  }
  if (typed) nodes.push(...lines(decode(typed)));
  return nodes;
}

function match(rest, before, verbatim) {
  switch (rest[0]) {
    case "<": return entity(rest);
    case "`": return code(rest);
    case "*": case "_": case "~": return styled(rest, before, verbatim);
    case ":": return shortcode(rest);
    case "h": return verbatim ? null : bareLink(rest, before);
    default: return null;
  }
}

function code(rest) {
  const found = /^`([^`\n]+)`/.exec(rest);
  return found && { node: codeNode(entitiesAsText(found[1])), length: found[0].length };
}

/** An id like R-7K2M reads badly in two halves, so a short piece of code stays on one line. */
export const codeNode = (text) => h("code", { class: text.length <= 24 ? "short" : null }, text);

function styled(rest, before, verbatim) {
  // A marker counts only at the edge of a word, so that snake_case and 2*3*4 stay whole.
  if (before && /[\p{L}\p{N}]/u.test(before)) return null;
  const marker = rest[0];
  const found = EDGES[marker].exec(rest);
  return found && { node: h(STYLES[marker], {}, inline(found[1], verbatim)), length: found[0].length };
}

function shortcode(rest) {
  const found = /^:([a-z0-9_+-]+):/.exec(rest);
  const character = found && emoji(found[1]);
  return character && { node: emojiNode(character, found[1]), length: found[0].length };
}

export const emojiNode = (character, name) => h("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " ") }, character);

function bareLink(rest, before) {
  if (before && /[\p{L}\p{N}]/u.test(before)) return null;
  const found = /^https?:\/\/[^\s<>|]+[^\s<>|.,;:!?)'"*_~]/.exec(rest);
  return found && { node: link(decode(found[0])), length: found[0].length };
}

function entity(rest) {
  const found = /^<([^<>\n]+)>/.exec(rest);
  const node = found && entityNode(found[1]);
  return node && { node, length: found[0].length };
}

function entityNode(inside) {
  const bar = inside.indexOf("|");
  const target = bar < 0 ? inside : inside.slice(0, bar);
  const label = bar < 0 ? null : decode(inside.slice(bar + 1));
  if (target.startsWith("@")) return userMention(target.slice(1), label);
  if (target.startsWith("#")) return channelMention(target.slice(1), label);
  if (target.startsWith("!")) return special(target.slice(1), label);
  if (/^(https?:\/\/|mailto:)/.test(target)) return link(decode(target), label);
  return null;
}

export function userMention(userId, label = null) {
  const mine = userId === workspace.me?.id ? " mention-me" : "";
  const name = workspace.users.has(userId) ? nameOf(userId) : label ?? userId;
  return h("span", { class: `mention${mine}`, data: { user: userId } }, `@${name}`);
}

export function channelMention(channelId, label = null) {
  const name = channelName(channelId);
  if (!name) return h("span", { class: "mention" }, label ? `#${label}` : "#private-channel");
  return h("a", { class: "mention", href: `#${workspace.me.id}/${channelId}` }, `#${name}`);
}

export const broadcast = (range) => h("span", { class: "mention mention-me" }, `@${range}`);

export function groupMention(id, label) {
  const handle = label ?? workspace.groups.get(id) ?? id;
  return h("span", { class: "mention", data: { group: id } }, handle.replace(/^@?/, "@"));
}

function special(command, label) {
  const [name, ...rest] = command.split("^");
  if (name === "date") return dateNode(rest, label);
  if (["here", "channel", "everyone"].includes(name)) return broadcast(name);
  if (name === "subteam") return groupMention(rest[0], label);
  return label === null ? null : h("span", {}, label);
}

function dateNode([unixSeconds, pattern, address], fallback) {
  const filled = pattern ? fillDate(decode(pattern), unixSeconds) : null;
  if (filled === null) return h("span", {}, fallback ?? "");
  const time = h("time", { datetime: new Date(Number(unixSeconds) * 1000).toISOString() }, filled);
  return address ? link(decode(address), time) : time;
}

/** A link that opens elsewhere; only web and mail addresses become one, so that no script address ever does. */
export function link(address, label = null) {
  if (!/^(https?:\/\/|mailto:)/i.test(address)) return h("span", {}, label ?? address);
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, label ?? address.replace(/^mailto:/, ""));
}

/** Inside code Slack still decodes, and shows an address in <…> without its brackets. */
const entitiesAsText = (text) => decode(text.replace(/<((?:https?:\/\/|mailto:)[^<>|\n]+)(?:\|([^<>\n]+))?>/g, (_, address, label) => label ?? address));
