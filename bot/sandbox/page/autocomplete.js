// The list above the composer: commands after “/”, people after “@”. Focus stays in the text; arrow keys move in the
// list, Tab or Enter takes what is marked, Esc closes.

import { h, replace, uniqueId } from "./dom.js";
import { avatar, badge } from "./people.js";
import { nameOf, workspace } from "./workspace.js";

const MOST = 8;

export function attachAutocomplete(field, { channel, commands, changed }) {
  const listId = uniqueId("complete");
  const node = h("div", { class: "complete", hidden: true, data: { testid: "autocomplete" } });
  let found = [];
  let active = 0;
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", listId);

  function look() {
    const before = field.value.slice(0, field.selectionStart);
    found = commandsFor(before) ?? peopleFor(before) ?? [];
    active = 0;
    draw();
  }

  function commandsFor(before) {
    if (!commands || !before.startsWith("/")) return null;
    const [typed, ...rest] = before.split(/\s/);
    // Once the command is whole, its line stays as a reminder of what comes next, and Enter sends.
    const takes = (command) => (rest.length ? command.command === typed : command.command.startsWith(typed));
    return workspace.commands.filter(takes).slice(0, MOST).map((command) => ({
      node: [h("span", { class: "complete-name" }, command.command), " ", h("span", { class: "complete-hint" }, command.usage_hint ?? ""),
        h("span", { class: "complete-note" }, command.description)],
      hook: command.command, done: rest.length > 0 || command.command === typed, from: 0, text: `${command.command} `,
    }));
  }

  function peopleFor(before) {
    const typed = /(?:^|\s)@([\p{L}\p{N}._-]*)$/u.exec(before);
    if (!typed) return null;
    const word = typed[1].toLowerCase();
    const here = (channel?.members ?? []).map((id) => workspace.users.get(id)).filter((user) => user && user.kind !== "deactivated");
    const matches = here.filter((user) => [user.name, nameOf(user.id), user.real_name ?? ""].some((name) => name.toLowerCase().startsWith(word)));
    return matches.slice(0, MOST).map((user) => ({
      node: [avatar(user, 24), h("strong", {}, nameOf(user.id)), badge(user), h("span", { class: "complete-note" }, user.title ?? "")],
      hook: user.id, done: false, from: before.length - typed[1].length - 1, text: `@${user.name} `,
    }));
  }

  function draw() {
    const open = found.length > 0;
    node.hidden = !open;
    field.setAttribute("aria-activedescendant", open ? `${listId}-${active}` : "");
    replace(node, h("ul", { role: "listbox", id: listId, "aria-label": "Suggestions" }, found.map((item, index) => h("li", {
      role: "option", id: `${listId}-${index}`, class: `complete-item ${index === active ? "active" : ""}`, "aria-selected": String(index === active), data: { option: item.hook },
      onmousedown: (event) => { event.preventDefault(); take(item); },
    }, item.node))));
  }

  function take(item) {
    field.setRangeText(item.text, item.from, field.selectionStart, "end");
    field.focus();
    changed();
  }

  function close() {
    found = [];
    draw();
  }

  /** True when the key was for the list. */
  function key(event) {
    const item = found[active];
    if (!item) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 1) active = (active + step + found.length) % found.length;
    else if (event.key === "Escape") found = [];
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && !item.done) take(item);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    draw();
    return true;
  }

  field.addEventListener("blur", close);
  return { node, look, key };
}
