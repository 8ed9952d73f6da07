// Where people write. A line that begins with “/” is a command; “@” offers the people of the channel.

import { attachAutocomplete } from "./autocomplete.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { openMenu } from "./menus.js";
import { notice } from "./notices.js";
import { act, sentence } from "./server.js";
import { workspace } from "./workspace.js";

// What somebody began to write survives looking at another channel.
const drafts = new Map();

/** `say(text)` sends it; `commands` is false in threads, where Slack allows none. Returns {node, focus}. */
export function makeComposer({ key, channel, label, commands, say, runShortcut }) {
  const draft = `${workspace.me.id}/${key}`;
  const field = h("textarea", {
    class: "composer-field", rows: "1", placeholder: label, "aria-label": label, data: { testid: commands ? "composer" : "thread-composer" },
    value: drafts.get(draft) ?? "", oninput: changed, onkeydown: keys,
  });
  const sendButton = h("button", { type: "button", class: "send", "aria-label": "Send now", data: { testid: "send" }, onclick: send }, icon("send", 18));
  const complete = attachAutocomplete(field, { channel, commands, changed });

  function changed() {
    drafts.set(draft, field.value);
    sendButton.disabled = !field.value.trim();
    field.style.setProperty("height", "auto");
    field.style.setProperty("height", `${field.scrollHeight}px`);
    complete.look();
  }

  function keys(event) {
    if (complete.key(event)) return;
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  }

  async function send() {
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    changed();
    const command = /^(\/[\w-]+)(?:\s+([\s\S]*))?$/.exec(text);
    if (command) return runCommand(command[1], command[2] ?? "");
    const result = await say(text);
    if (result.ok) return;
    notice(sentence(result), "error");
    if (!field.value) { field.value = text; changed(); }
  }

  async function runCommand(name, rest) {
    if (!commands) return notice(`${name} is not supported in threads. Sorry!`, "error");
    if (!workspace.commands.some((known) => known.command === name)) return notice(`${name} is not a valid command.`, "error");
    const result = await act(workspace.me.id, "command", { channel: channel.id, command: name, text: rest });
    if (!result.ok) notice(result.notice ?? `${name} failed. ${sentence(result)}`, "error");
  }

  function insert(text) {
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    changed();
  }

  function shortcuts(event) {
    const global = workspace.shortcuts.filter((shortcut) => shortcut.type === "global").map((shortcut) => ({
      label: shortcut.name, description: "Shortcut", before: icon("bolt", 18), hook: shortcut.callback_id, run: () => runShortcut(shortcut),
    }));
    const slash = workspace.commands.map((known) => ({
      label: known.command, description: known.description, before: icon("bolt", 18), hook: known.command, run: () => { field.value = ""; insert(`${known.command} `); },
    }));
    openMenu(event.currentTarget, { label: "Shortcuts", wide: true, items: [...global, ...slash] });
  }

  const tool = (name, words, onclick) => h("button", { type: "button", class: "tool", "aria-label": words, title: words, data: { testid: `composer-${name}` }, onclick }, icon(name, 18));
  const node = h("div", { class: "composer" }, complete.node, h("div", { class: "composer-box" }, field,
    h("div", { class: "composer-tools" }, commands && tool("plus", "Shortcuts and commands", shortcuts), tool("at", "Mention someone", () => insert("@")),
      h("span", { class: "composer-hint" }, h("kbd", {}, "Enter"), " to send, ", h("kbd", {}, "Shift Enter"), " for a new line"), sendButton)));
  sendButton.disabled = !field.value.trim();
  return { node, focus: () => field.focus() };
}
