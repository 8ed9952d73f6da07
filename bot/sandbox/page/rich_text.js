// The rich_text block: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
// Its texts are literal: Slack parses nothing in them, which is why untrusted words are safe there.

import { fillDate } from "./clock.js";
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { broadcast, channelMention, emojiNode, groupMention, lines, link, userMention } from "./mrkdwn.js";

export const richText = (block) => h("div", { class: "rich-text" }, (block.elements ?? []).map(element));

function element(part) {
  switch (part.type) {
    case "rich_text_section": return h("div", { class: "rich-section" }, runs(part.elements));
    case "rich_text_list": return list(part);
    case "rich_text_quote": return h("blockquote", {}, runs(part.elements));
    case "rich_text_preformatted": return h("pre", { class: "code-block" }, runs(part.elements, { plain: true }));
    default: return h("div", { class: "unknown" }, `(${part.type} is not drawn here)`);
  }
}

// Lists of different depth follow one another as siblings; the indent says how deep each one stands.
function list(part) {
  const tag = part.style === "ordered" ? "ol" : "ul";
  const properties = { class: `rich-list indent-${Math.min(part.indent ?? 0, 8)}`, start: part.offset ? part.offset + 1 : null };
  return h(tag, properties, (part.elements ?? []).map((item) => h("li", {}, item.elements ? runs(item.elements) : element(item))));
}

const runs = (parts, options = {}) => (parts ?? []).map((part) => styled(part, run(part, options), options));

function run(part, options) {
  switch (part.type) {
    case "text": return lines(part.text ?? "");
    case "link": return options.plain ? part.text ?? part.url : link(part.url ?? "", part.text ?? part.url);
    case "user": return userMention(part.user_id);
    case "usergroup": return groupMention(part.usergroup_id, null);
    case "channel": return channelMention(part.channel_id);
    case "broadcast": return broadcast(part.range);
    case "emoji": return emojiRun(part);
    case "date": return dateRun(part);
    case "color": return colour(part.value);
    case "team": return part.team_id;
    default: return `(${part.type})`;
  }
}

function emojiRun(part) {
  const character = part.unicode
    ? String.fromCodePoint(...part.unicode.split("-").map((code) => Number.parseInt(code, 16)))
    : emoji(part.name);
  return character ? emojiNode(character, part.name) : `:${part.name}:`;
}

function dateRun(part) {
  const filled = fillDate(part.format ?? "{date} at {time}", part.timestamp) ?? part.fallback ?? "";
  const time = h("time", { datetime: new Date(part.timestamp * 1000).toISOString() }, filled);
  return part.url ? link(part.url, time) : time;
}

function colour(value) {
  const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
  if (/^#[0-9a-f]{3,8}$/i.test(value)) swatch.style.setProperty("background", value);
  return [value, " ", swatch];
}

const STYLES = [["bold", "strong"], ["italic", "em"], ["strike", "s"], ["underline", "u"], ["code", "code"], ["highlight", "mark"]];

function styled(part, content, { plain }) {
  if (plain || !part.style) return content;
  return STYLES.filter(([style]) => part.style[style]).reduceRight((inner, [, tag]) => h(tag, { class: tag === "code" && part.text?.length <= 24 ? "short" : null }, inner), content);
}
