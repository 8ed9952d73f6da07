// The interactive elements: https://docs.slack.dev/reference/block-kit/block-elements
// Buttons and overflow menus here; what holds a value is in inputs.js, choices.js and selects.js.
//
// Every drawing function takes (element, blockId, surface, inInput). `inInput` is set inside an input block, where an
// element only holds a value, unless the block has dispatch_action; elsewhere each change is sent to the app at once.

import { checkboxes, radioButtons } from "./choices.js";
import { h } from "./dom.js";
import { localImage, pictureOf } from "./files.js";
import { icon } from "./icons.js";
import { dateInput, fileInput, lineInput, momentInput, numberInput, textInput, timeInput } from "./inputs.js";
import { openMenu } from "./menus.js";
import { decode, textObject } from "./mrkdwn.js";
import { multiSelect } from "./multi_select.js";
import { peopleSelect, staticSelect } from "./selects.js";
import { workspace } from "./workspace.js";

const DRAW = {
  button, overflow, icon_button: iconButton, feedback_buttons: feedback, image: (part) => localImage(pictureOf(part), part.alt_text, "accessory-picture"),
  static_select: staticSelect, users_select: peopleSelect, conversations_select: peopleSelect, channels_select: peopleSelect,
  multi_static_select: multiSelect, multi_users_select: multiSelect, multi_conversations_select: multiSelect, multi_channels_select: multiSelect,
  checkboxes, radio_buttons: radioButtons,
  plain_text_input: textInput, number_input: numberInput, email_text_input: lineInput, url_text_input: lineInput,
  datepicker: dateInput, timepicker: timeInput, datetimepicker: momentInput, file_input: fileInput,
};

export function element(part, blockId, surface, inInput = null) {
  const draw = DRAW[part.type];
  if (!draw) return h("span", { class: "unknown" }, `(an element of type “${part.type}” is not drawn here)`);
  return draw(part, blockId, surface, inInput);
}

function button(part, blockId, surface) {
  // Cosmetic in Slack too: an app must never rely on it for permission.
  if (part.visible_to_user_ids && !part.visible_to_user_ids.includes(workspace.me.id)) return null;
  const press = () => {
    if (part.url) window.open(part.url, "_blank", "noopener,noreferrer");
    surface.press(blockId, part);
  };
  return h("button", {
    type: "button", class: `button ${part.style ? `button-${part.style}` : ""}`, "aria-label": part.accessibility_label,
    "aria-busy": surface.isWaiting(blockId, part) ? "true" : null, onclick: press, data: hooks(part, blockId),
  }, h("span", { class: "button-text" }, textObject(part.text)));
}

function overflow(part, blockId, surface) {
  const pick = (option) => {
    if (option.url) window.open(decode(option.url), "_blank", "noopener,noreferrer");
    surface.press(blockId, part, option.value);
  };
  const open = (event) => openMenu(event.currentTarget, {
    label: "More options",
    items: (part.options ?? []).map((option) => ({
      label: textObject(option.text), description: option.description && textObject(option.description),
      hook: option.value, run: () => pick(option),
    })),
  });
  return h("button", {
    type: "button", class: "button button-overflow", "aria-label": part.accessibility_label ?? "More options", "aria-haspopup": "menu",
    "aria-busy": surface.isWaiting(blockId, part) ? "true" : null, onclick: open, data: hooks(part, blockId),
  }, icon("dots", 18));
}

function iconButton(part, blockId, surface) {
  if (part.visible_to_user_ids && !part.visible_to_user_ids.includes(workspace.me.id)) return null;
  return h("button", {
    type: "button", class: "button button-overflow", "aria-label": part.accessibility_label ?? part.text?.text, title: part.text?.text,
    onclick: () => surface.press(blockId, part), data: hooks(part, blockId),
  }, icon(part.icon === "trash" ? "trash" : "dots", 18));
}

function feedback(part, blockId, surface) {
  const side = (choice, name) => h("button", {
    type: "button", class: "button", "aria-label": choice.accessibility_label, onclick: () => surface.press(blockId, part, name),
    data: { ...hooks(part, blockId), option: name },
  }, textObject(choice.text));
  return h("span", { class: "feedback" }, side(part.positive_button, "positive"), side(part.negative_button, "negative"));
}

/** The attributes by which tests, and redrawing, find an element again. */
export const hooks = (part, blockId) => ({ actionId: part.action_id, blockId });
