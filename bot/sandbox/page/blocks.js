// Block Kit as DOM nodes: https://docs.slack.dev/reference/block-kit/blocks
// One function per block; the things that people press or fill in are in elements.js and its neighbours.

import { h, uniqueId } from "./dom.js";
import { element } from "./elements.js";
import { localImage, pictureOf } from "./files.js";
import { markdown } from "./markdown.js";
import { textObject } from "./mrkdwn.js";
import { richText } from "./rich_text.js";

// Slack folds a long section text behind “See more” unless the block says `expand`. The number is from experience:
// Slack documents the folding, not where it begins.
const FOLD_CHARS = 700;

/** All blocks of a surface, in order. */
export function renderBlocks(blocks, surface) {
  surface.begin();
  return (blocks ?? []).filter(Boolean).map((block, index) => {
    const blockId = block.block_id ?? `block-${index}`;
    const node = drawn(block, blockId, surface);
    node.classList.add("block", `block-${block.type}`);
    node.dataset.blockId = blockId;
    return node;
  });
}

const DRAW = { section, header, context, actions, context_actions: actions, divider, image, input, rich_text: richText, markdown: (block) => markdown(block.text), table };

/** A block that cannot be drawn takes only its own place, never the whole page with it. */
function drawn(block, blockId, surface) {
  try {
    return (DRAW[block.type] ?? unknown)(block, blockId, surface);
  } catch (error) {
    console.error("could not draw", block, error);
    return unknown(block);
  }
}

function unknown(block) {
  return h("div", { class: "unknown" }, `A block of type “${block.type}” is here, which this sandbox does not draw.`);
}

function section(block, blockId, surface) {
  const body = h("div", { class: "section-body" });
  if (block.text) body.append(foldable(block, blockId, surface));
  if (block.fields?.length) {
    body.append(h("div", { class: "section-fields" }, block.fields.map((field) => h("div", { class: "field mrkdwn" }, textObject(field)))));
  }
  const accessory = block.accessory && h("div", { class: `accessory accessory-${block.accessory.type}` }, element(block.accessory, blockId, surface));
  return h("div", {}, body, accessory);
}

function foldable(block, blockId, surface) {
  const text = h("div", { class: "mrkdwn" }, textObject(block.text));
  const long = (block.text.text ?? "").length > FOLD_CHARS && !block.expand;
  if (!long || surface.unfolded.has(blockId)) return text;
  text.classList.add("folded");
  const more = h("button", { class: "link-button", type: "button", onclick: () => { surface.unfolded.add(blockId); surface.redraw(); } }, "See more");
  return h("div", {}, text, more);
}

function header(block) {
  return h("div", { role: "heading", "aria-level": "3" }, textObject(block.text));
}

function context(block) {
  return h("div", {}, (block.elements ?? []).map((part) => (part.type === "image"
    ? localImage(pictureOf(part), part.alt_text, "context-image")
    : h("span", { class: "mrkdwn" }, textObject(part)))));
}

function actions(block, blockId, surface) {
  return h("div", { role: "group" }, (block.elements ?? []).map((part) => element(part, blockId, surface)));
}

function divider() {
  return h("hr");
}

function image(block) {
  const title = block.title && h("figcaption", {}, textObject(block.title));
  return h("figure", {}, title, localImage(pictureOf(block), block.alt_text, "block-picture"));
}

function input(block, blockId, surface) {
  const label = uniqueId("label");
  const hint = block.hint ? uniqueId("hint") : null;
  const error = surface.errors[blockId] ? uniqueId("error") : null;
  const described = [error, hint].filter(Boolean).join(" ") || null;
  const part = block.element ?? {};
  const control = element(part, blockId, surface, {
    labelledBy: label, describedBy: described, invalid: Boolean(error), required: !block.optional, dispatches: Boolean(block.dispatch_action),
  });
  return h("div", { class: error ? "has-error" : "" },
    h("div", { class: "input-label", id: label }, textObject(block.label), block.optional && h("span", { class: "optional" }, " (optional)")),
    control,
    error && h("div", { class: "input-error", id: error, data: { testid: "field-error" } }, surface.errors[blockId]),
    hint && h("div", { class: "input-hint", id: hint }, textObject(block.hint)));
}

function table(block) {
  const [head, ...body] = block.rows ?? [];
  const settings = block.column_settings ?? [];
  const row = (cells, tag) => h("tr", {}, (cells ?? []).map((cell, column) => h(tag, {
    scope: tag === "th" ? "col" : null,
    class: [`align-${settings[column]?.align ?? "left"}`, settings[column]?.is_wrapped ? "wrapped" : ""].join(" "),
  }, cellContent(cell))));
  return h("div", { tabindex: "0", role: "region", "aria-label": "Table" }, h("table", { class: "block-table" },
    h("thead", {}, row(head, "th")), h("tbody", {}, body.map((cells) => row(cells, "td")))));
}

function cellContent(cell) {
  if (cell?.type === "rich_text") return richText(cell);
  return String(cell?.text ?? cell?.value ?? "");
}
