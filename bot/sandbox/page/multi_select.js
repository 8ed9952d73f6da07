// A menu that holds several choices: the chosen ones as chips, a field that filters, and a list (the ARIA combobox).

import { h, replace, uniqueId } from "./dom.js";
import { icon } from "./icons.js";
import { dispatches } from "./inputs.js";
import { decode, textObject } from "./mrkdwn.js";
import { candidates } from "./selects.js";

/** For each type: where its choices come from, and how its state is spelled. */
const SHAPES = {
  multi_static_select: { state: "selected_options", initial: "initial_options" },
  multi_users_select: { state: "selected_users", initial: "initial_users" },
  multi_channels_select: { state: "selected_channels", initial: "initial_channels" },
  multi_conversations_select: { state: "selected_conversations", initial: "initial_conversations" },
};

export function multiSelect(part, blockId, surface, inInput) {
  const shape = SHAPES[part.type];
  const fixed = part.type === "multi_static_select";
  const options = fixed ? (part.option_groups ?? []).flatMap((group) => group.options).concat(part.options ?? []) : people(part);
  const now = surface.field(blockId, part, { type: part.type, [shape.state]: part[shape.initial] ?? [] });
  const chosen = new Set(now[shape.state].map((one) => (fixed ? one.value : one)));
  const most = part.max_selected_items ?? Infinity;

  const keep = () => {
    const picked = options.filter((option) => chosen.has(option.value));
    surface.enter(blockId, part, { type: part.type, [shape.state]: fixed ? picked : picked.map((option) => option.value) });
  };
  // The app hears of it once the list closes, as in Slack, not at each tick.
  const send = () => { if (dispatches(inInput)) surface.press(blockId, part, [...chosen]); };
  return combobox({ part, blockId, inInput, options, chosen, most, keep, send });
}

const people = (part) => candidates(part.type.replace("multi_", "")).map(([value, name]) => ({ value, text: { type: "plain_text", text: name } }));

function combobox({ part, blockId, inInput, options, chosen, most, keep, send }) {
  const listId = uniqueId("list");
  let active = -1;
  let dirty = false;
  const chips = h("span", { class: "chips" });
  const list = h("ul", { class: "listbox", role: "listbox", id: listId, tabindex: "-1", "aria-multiselectable": "true", hidden: true });
  const filter = h("input", {
    class: "chip-filter", type: "text", role: "combobox", autocomplete: "off", "aria-expanded": "false", "aria-controls": listId, "aria-autocomplete": "list",
    "aria-labelledby": inInput?.labelledBy, "aria-label": inInput ? null : decode(part.placeholder?.text ?? part.action_id),
    "aria-describedby": inInput?.describedBy, "aria-invalid": inInput?.invalid ? "true" : null,
    data: { actionId: part.action_id, blockId }, oninput: () => open(), onfocus: () => open(), onkeydown: (event) => keys(event),
  });

  const shown = () => options.filter((option) => decode(option.text.text).toLowerCase().includes(filter.value.trim().toLowerCase()));
  const toggle = (option) => {
    if (chosen.has(option.value)) chosen.delete(option.value);
    else if (chosen.size < most) chosen.add(option.value);
    dirty = true;
    keep();
    draw();
  };
  const draw = () => {
    const rows = shown();
    active = Math.min(active, rows.length - 1);
    filter.placeholder = chosen.size ? "" : decode(part.placeholder?.text ?? "Select options");
    replace(chips, options.filter((option) => chosen.has(option.value)).map((option) => chip(option, toggle)));
    replace(list, rows.length ? rows.map((option, index) => row(option, index)) : h("li", { class: "listbox-empty" }, "Nothing matches"));
    const current = list.querySelector(".active");
    filter.setAttribute("aria-activedescendant", current?.id ?? "");
    current?.scrollIntoView({ block: "nearest" });
  };
  const row = (option, index) => h("li", {
    role: "option", id: `${listId}-${index}`, class: index === active ? "active" : "", "aria-selected": String(chosen.has(option.value)),
    data: { option: option.value }, onmousedown: (event) => { event.preventDefault(); active = index; toggle(option); },
  }, h("span", { class: "tick" }, chosen.has(option.value) && icon("check", 16)), h("span", {}, textObject(option.text)));
  const open = () => { list.hidden = false; filter.setAttribute("aria-expanded", "true"); draw(); };
  const close = () => {
    list.hidden = true;
    active = -1;
    filter.setAttribute("aria-expanded", "false");
    if (dirty) { dirty = false; send(); }
  };
  const keys = (event) => {
    const rows = shown();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      active = rows.length ? (active + step + rows.length) % rows.length : -1;
      open();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (rows[active]) toggle(rows[active]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      close();
    } else if (event.key === "Backspace" && !filter.value && chosen.size) {
      toggle(options.findLast((option) => chosen.has(option.value)));
    }
  };
  const box = h("div", { class: "multi-select", onfocusout: (event) => { if (!box.contains(event.relatedTarget)) close(); } },
    h("div", { class: "chip-box", onclick: () => filter.focus() }, chips, filter), list);
  draw();
  return box;
}

const chip = (option, toggle) => h("span", { class: "chip" }, textObject(option.text),
  h("button", { type: "button", class: "chip-remove", "aria-label": `Remove ${decode(option.text.text)}`, onclick: () => toggle(option) }, icon("close", 12)));
