// The app's own dialogs (Slack calls them modal views). The server says which one is on top for this person; this
// module draws it, keeps what was entered, and sends it in.

import { renderBlocks } from "./blocks.js";
import { openDialog } from "./dialogs.js";
import { h, keepingFocus, replace } from "./dom.js";
import { textObject } from "./mrkdwn.js";
import { act, sentence } from "./server.js";
import { Surface } from "./surface.js";
import { workspace } from "./workspace.js";

let shown = null; // {dialog, surface, view, banner}
const asleep = new Map(); // surfaces of views further down the stack, by view id

/** What the server pushed: the top of this person's stack of dialogs (`depth` high), or null. */
export function showView(view, depth = 1) {
  if (!view) return closeShown();
  if (shown?.view.id === view.id) return update(view, depth);
  // A push and a pop both change the view in place: the dialog stays, so the screen does not blink.
  if (!shown) shown = openShell();
  else if (shown.view) asleep.set(shown.view.id, shown.surface);
  const { body } = shown.dialog;
  shown.view = view;
  shown.depth = depth;
  shown.surface = asleep.get(view.id) ?? surfaceFor(view, body);
  shown.trouble = null;
  draw();
  body.scrollTop = 0;
  shown.dialog.focusFirst();
}

/** The server remembers what was entered with the last click; after a reload that is all there is. */
function surfaceFor(view, body) {
  const surface = new Surface({ type: "view", view_id: view.id }, body, () => draw());
  surface.remember(view.state?.values);
  return surface;
}

function openShell() {
  return { dialog: openDialog({ title: "", kind: "view", testid: "view", onEscape: (how) => leave(how === "cross") }) };
}

function closeShown() {
  asleep.clear();
  shown?.dialog.close();
  shown = null;
}

function update(view, depth) {
  shown.view = view;
  shown.depth = depth;
  draw();
}

function draw() {
  const { dialog, surface, view } = shown;
  dialog.setTitle(textObject(view.title));
  dialog.panel.dataset.viewId = view.id;
  dialog.panel.dataset.callbackId = view.callback_id ?? "";
  const banner = shown.trouble && h("div", { class: "banner banner-error", role: "alert", data: { testid: "view-error" } }, shown.trouble);
  const scrolled = dialog.body.scrollTop;
  keepingFocus(dialog.panel, () => {
    replace(dialog.body, banner, renderBlocks(view.blocks, surface));
    replace(dialog.footer, footer(view));
  });
  dialog.body.scrollTop = scrolled;
}

function footer(view) {
  const back = h("button", { type: "button", class: "button", data: { testid: "view-cancel" }, onclick: () => leave(false) },
    view.close ? textObject(view.close) : shown.depth > 1 ? "Back" : "Cancel");
  const send = view.submit && h("button", { type: "button", class: "button button-primary", disabled: Boolean(view.submit_disabled), data: { testid: "view-submit" }, onclick: submit }, textObject(view.submit));
  return [back, send];
}

/** The cross closes every dialog of the stack, as in Slack; Esc and the cancel button only the top one. */
async function leave(all) {
  const { view } = shown;
  const result = await act(workspace.me.id, "close", { view_id: view.id, clear: all });
  // An app that fails to hear of it does not keep the dialog open; nor does a server that is gone.
  if (!result.ok && shown?.view.id === view.id) closeShown();
}

async function submit(event) {
  const { view, surface } = shown;
  const button = event.currentTarget;
  if (button.getAttribute("aria-busy")) return;
  surface.errors = emptyRequired(view, surface);
  shown.trouble = null;
  if (Object.keys(surface.errors).length) return showErrors();
  button.setAttribute("aria-busy", "true");
  const result = await act(workspace.me.id, "submit", { view_id: view.id, state: surface.state() });
  button.removeAttribute("aria-busy");
  if (shown?.view.id !== view.id || (result.ok && !result.errors)) return;
  surface.errors = result.errors ?? {};
  if (Object.keys(surface.errors).length) return showErrors();
  shown.trouble = sentence(result);
  draw();
}

function showErrors() {
  draw();
  const wrong = shown.dialog.body.querySelector("[aria-invalid=true], .has-error input, .has-error select, .has-error textarea");
  wrong?.focus();
  wrong?.scrollIntoView({ block: "center" });
}

/** Slack's client itself refuses required fields left empty, before the app hears anything. */
function emptyRequired(view, surface) {
  const state = surface.state();
  const missing = (view.blocks ?? []).filter((block, index) => {
    if (block.type !== "input" || block.optional || block.element?.type === "file_input") return false;
    const entered = state[block.block_id ?? `block-${index}`]?.[block.element.action_id];
    const { type, ...values } = entered ?? {};
    return Object.values(values).every((value) => value === null || value === "" || value === undefined || value.length === 0);
  });
  return Object.fromEntries(missing.map((block) => [block.block_id, "Please complete this required field."]));
}
