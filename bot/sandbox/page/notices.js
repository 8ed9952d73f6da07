// What Slack would flash at the edge of the window: a click that failed, a message that could not be sent.

import { byId, h } from "./dom.js";
import { icon } from "./icons.js";

const STAYS_MS = 8000;
const SAME_MS = 3000;

export function notice(text, level = "info") {
  const board = byId("notices");
  // The server tells of a failed click twice: as the answer to it and as a notice of its own.
  if ([...board.children].some((other) => other.dataset.text === text && Date.now() - other.dataset.at < SAME_MS)) return;
  const dismiss = h("button", { type: "button", class: "icon-button", "aria-label": "Dismiss", onclick: () => card.remove() }, icon("close", 16));
  const card = h("div", { class: `notice notice-${level}`, data: { testid: "notice", text, at: Date.now() } },
    icon(level === "error" ? "warning" : "check", 18), h("span", { class: "notice-text" }, text), dismiss);
  board.append(card);
  setTimeout(() => card.remove(), STAYS_MS);
}

/** Said to screen readers only. Slack reads them a message's `text`, not its blocks. */
export function announce(text) {
  const board = byId("announcer");
  board.append(h("p", {}, text));
  while (board.children.length > 5) board.firstChild.remove();
}
