// Elements that are filled in: text, numbers, addresses, dates and times. The browser's own controls, since they bring
// keyboards, calendars and accessibility of their own.

import { fromWall, toWall } from "./clock.js";
import { h } from "./dom.js";
import { decode } from "./mrkdwn.js";

/** Attributes that every control shares; `inInput` is described in elements.js. */
export function common(part, blockId, inInput) {
  return {
    "aria-labelledby": inInput?.labelledBy,
    "aria-label": inInput ? null : decode(part.placeholder?.text ?? "") || part.action_id,
    "aria-describedby": inInput?.describedBy,
    "aria-invalid": inInput?.invalid ? "true" : null,
    "aria-required": inInput?.required ? "true" : null,
    placeholder: part.placeholder ? decode(part.placeholder.text) : null,
    data: { actionId: part.action_id, blockId, autofocus: part.focus_on_load ? "yes" : undefined },
  };
}

/** Whether a change goes to the app at once. */
export const dispatches = (inInput) => !inInput || inInput.dispatches;

export function textInput(part, blockId, surface, inInput) {
  const now = surface.field(blockId, part, { type: part.type, value: part.initial_value ?? null });
  const config = part.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const enter = (event) => {
    surface.enter(blockId, part, { type: part.type, value: event.target.value || null });
    count(event.target);
    if (dispatches(inInput) && config.includes("on_character_entered")) surface.press(blockId, part, event.target.value);
  };
  const send = (event) => {
    if (event.key !== "Enter" || part.multiline || event.isComposing) return;
    if (dispatches(inInput) && config.includes("on_enter_pressed")) surface.press(blockId, part, event.target.value);
  };
  const field = h(part.multiline ? "textarea" : "input", {
    ...common(part, blockId, inInput), class: "text-field", type: part.multiline ? null : "text", rows: part.multiline ? "4" : null,
    maxlength: part.max_length, autocomplete: "off", value: now.value ?? "", oninput: enter, onkeydown: send,
  });
  const counter = part.max_length && h("span", { class: "counter", "aria-hidden": "true" });
  const count = (target) => { if (counter) counter.textContent = String(part.max_length - target.value.length); };
  count(field);
  return counter ? h("div", { class: "counted" }, field, counter) : field;
}

export function numberInput(part, blockId, surface, inInput) {
  return simple("text", part, blockId, surface, inInput, {
    inputmode: part.is_decimal_allowed ? "decimal" : "numeric", initial: part.initial_value,
    read: (value) => ({ value: value.trim() || null }), show: (state) => state.value, empty: { value: null },
  });
}

export function lineInput(part, blockId, surface, inInput) {
  return simple(part.type === "email_text_input" ? "email" : "url", part, blockId, surface, inInput, {
    initial: part.initial_value, read: (value) => ({ value: value.trim() || null }), show: (state) => state.value, empty: { value: null },
  });
}

export function dateInput(part, blockId, surface, inInput) {
  return simple("date", part, blockId, surface, inInput, {
    initial: part.initial_date, read: (value) => ({ selected_date: value || null }), show: (state) => state.selected_date, empty: { selected_date: null },
  });
}

export function timeInput(part, blockId, surface, inInput) {
  return simple("time", part, blockId, surface, inInput, {
    initial: part.initial_time, read: (value) => ({ selected_time: value || null }), show: (state) => state.selected_time, empty: { selected_time: null },
  });
}

export function momentInput(part, blockId, surface, inInput) {
  return simple("datetime-local", part, blockId, surface, inInput, {
    initial: part.initial_date_time ? toWall(part.initial_date_time) : null, read: (value) => ({ selected_date_time: fromWall(value) }),
    show: (state) => (state.selected_date_time ? toWall(state.selected_date_time) : ""), empty: { selected_date_time: null },
  });
}

/** One <input>: `read` makes Slack's state of what it holds, `show` the other way. */
function simple(type, part, blockId, surface, inInput, { initial, read, show, empty, inputmode }) {
  const start = initial ? { type: part.type, ...read(String(initial)) } : { type: part.type, ...empty };
  const now = surface.field(blockId, part, start);
  const enter = (event) => {
    surface.enter(blockId, part, { type: part.type, ...read(event.target.value) });
  };
  const changed = (event) => {
    enter(event);
    const [value] = Object.values(read(event.target.value));
    if (dispatches(inInput)) surface.press(blockId, part, value);
  };
  return h("input", {
    ...common(part, blockId, inInput), class: `text-field field-${type}`, type, inputmode, autocomplete: "off", value: show(now) ?? "",
    oninput: enter, onchange: changed,
  });
}

export function fileInput(part, blockId, surface, inInput) {
  surface.field(blockId, part, { type: part.type, files: [] });
  const { placeholder, ...shared } = common(part, blockId, inInput);
  return h("div", { class: "file-input" },
    h("button", { ...shared, class: "button", type: "button", disabled: true }, "Choose a file"),
    h("span", { class: "input-hint" }, "The sandbox takes no files here; Slack would."));
}
