// Checkboxes and radio buttons: a group of native controls with Slack's descriptions beside them.

import { h, uniqueId } from "./dom.js";
import { dispatches } from "./inputs.js";
import { textObject } from "./mrkdwn.js";

export function checkboxes(part, blockId, surface, inInput) {
  const now = surface.field(blockId, part, { type: part.type, selected_options: part.initial_options ?? [] });
  const chosen = new Set(now.selected_options.map((option) => option.value));
  const changed = (option, on) => {
    if (on) chosen.add(option.value);
    else chosen.delete(option.value);
    surface.enter(blockId, part, { type: part.type, selected_options: part.options.filter((other) => chosen.has(other.value)) });
    if (dispatches(inInput)) surface.press(blockId, part, part.options.map((other) => other.value).filter((value) => chosen.has(value)));
  };
  return group(part, blockId, inInput, "group", (option) => ({
    type: "checkbox", checked: chosen.has(option.value), onchange: (event) => changed(option, event.target.checked),
  }));
}

export function radioButtons(part, blockId, surface, inInput) {
  const now = surface.field(blockId, part, { type: part.type, selected_option: part.initial_option ?? null });
  const name = uniqueId("radio");
  const changed = (option) => {
    surface.enter(blockId, part, { type: part.type, selected_option: option });
    if (dispatches(inInput)) surface.press(blockId, part, option.value);
  };
  return group(part, blockId, inInput, "radiogroup", (option) => ({
    type: "radio", name, checked: now.selected_option?.value === option.value, onchange: () => changed(option),
  }));
}

function group(part, blockId, inInput, role, control) {
  const one = (option) => h("label", { class: "choice" },
    h("input", { ...control(option), value: option.value, data: { actionId: part.action_id, blockId, option: option.value } }),
    h("span", { class: "choice-text" }, h("span", { class: "mrkdwn" }, textObject(option.text)),
      option.description && h("span", { class: "choice-description mrkdwn" }, textObject(option.description))));
  return h("div", {
    class: "choices", role, "aria-labelledby": inInput?.labelledBy, "aria-label": inInput ? null : part.action_id,
    "aria-describedby": inInput?.describedBy, "aria-invalid": role === "radiogroup" && inInput?.invalid ? "true" : null,
  }, (part.options ?? []).map(one));
}
