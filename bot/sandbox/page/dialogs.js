// Dialogs: one on top of another, the top one alone reachable, focus kept inside and given back afterwards.

import { byId, focusable, h, uniqueId } from "./dom.js";
import { icon } from "./icons.js";
import { textObject } from "./mrkdwn.js";

const stack = [];

/**
 * Show a dialog. `onEscape` is what Esc and the cross mean; closing is the caller's: `dialog.close()`.
 * Returns {body, footer, panel, close, setTitle, focusFirst}.
 */
export function openDialog({ title, kind = "dialog", onEscape, testid }) {
  const titleId = uniqueId("title");
  const opener = document.activeElement;
  const heading = h("h2", { id: titleId, class: "dialog-title" }, title);
  const cross = h("button", { type: "button", class: "icon-button", "aria-label": "Close", data: { testid: "dialog-close" }, onclick: () => onEscape("cross") }, icon("close"));
  const body = h("div", { class: "dialog-body" });
  const footer = h("div", { class: "dialog-footer" });
  const panel = h("div", { role: "dialog", "aria-modal": "true", "aria-labelledby": titleId, class: `dialog dialog-${kind}`, tabindex: "-1", data: { testid } },
    h("div", { class: "dialog-head" }, heading, cross), body, footer);
  const overlay = h("div", { class: "overlay" }, panel);
  const entry = { overlay, panel, opener };

  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.stopPropagation(); onEscape("escape"); }
    if (event.key === "Tab") trap(event, panel);
  });
  stack.push(entry);
  byId("dialogs").append(overlay);
  settle();
  panel.focus();

  return {
    panel, body, footer,
    setTitle: (nodes) => heading.replaceChildren(...nodes),
    focusFirst: () => focusFirst(panel, body),
    close: () => close(entry),
  };
}

function focusFirst(panel, body) {
  const wanted = panel.querySelector("[data-autofocus]") ?? focusable(body).find((node) => node.matches("input, select, textarea"));
  (wanted ?? focusable(panel.querySelector(".dialog-footer"))[0] ?? panel).focus();
}

function close(entry) {
  const at = stack.indexOf(entry);
  if (at < 0) return;
  stack.splice(at, 1);
  entry.overlay.remove();
  settle();
  const target = entry.opener?.isConnected ? entry.opener : twinOf(entry.opener) ?? stack.at(-1)?.panel ?? document.querySelector("[data-testid=composer]");
  target?.focus?.({ preventScroll: true });
}

/** The button that opened a dialog is often drawn anew while the dialog is open: its message was updated. */
function twinOf(opener) {
  const { actionId, blockId } = opener?.dataset ?? {};
  return actionId ? document.querySelector(`[data-action-id=${CSS.escape(actionId)}][data-block-id=${CSS.escape(blockId ?? "")}]`) : null;
}

/** Only the top of the stack can be reached, by mouse, keyboard or screen reader. */
function settle() {
  byId("app").inert = stack.length > 0;
  document.body.classList.toggle("has-dialog", stack.length > 0);
  stack.forEach((entry, index) => { entry.overlay.inert = index < stack.length - 1; });
}

function trap(event, panel) {
  const inside = focusable(panel);
  const [first, last] = [inside[0], inside.at(-1)];
  const outside = !inside.includes(document.activeElement);
  if (!first) event.preventDefault();
  else if (event.shiftKey && (document.activeElement === first || outside)) { event.preventDefault(); last.focus(); }
  else if (!event.shiftKey && (document.activeElement === last)) { event.preventDefault(); first.focus(); }
}

/** Slack's confirm object; true at once where there is none. */
export function withConfirmation(confirm) {
  if (!confirm) return Promise.resolve(true);
  return new Promise((resolve) => {
    const answer = (yes) => { dialog.close(); resolve(yes); };
    const dialog = openDialog({ title: textObject(confirm.title), kind: "confirm", onEscape: () => answer(false), testid: "confirm" });
    dialog.body.append(h("div", { class: "mrkdwn" }, textObject(confirm.text)));
    const style = confirm.style === "danger" ? "danger" : "primary";
    dialog.footer.append(
      h("button", { type: "button", class: "button", data: { testid: "confirm-deny" }, onclick: () => answer(false) }, textObject(confirm.deny ?? { text: "Cancel" })),
      h("button", { type: "button", class: `button button-${style}`, data: { testid: "confirm-yes" }, onclick: () => answer(true) }, textObject(confirm.confirm ?? { text: "OK" })));
    dialog.footer.lastChild.focus();
  });
}
