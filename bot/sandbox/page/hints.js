// “What can I try?”: the few things worth seeing in the first five minutes.

import { openDialog } from "./dialogs.js";
import { h } from "./dom.js";
import { faultButtons } from "./faults.js";
import { workspace } from "./workspace.js";

const HINTS = [
  ["Decide a request", "Open #approvals and press Approve or Reject. The message turns into its own result, for everybody who sees it.", "C0APPROVALS"],
  ["Change it first", "Press Edit… on a request, change an amount, and send it. The agent is told exactly what you changed."],
  ["Type a command", "Write / in the message field: the commands that the app knows appear, with a hint of what they want."],
  ["Be somebody else", "Switch to a guest, or to somebody of another company, at the top right, and try to approve. Read what they are told.", null, "U0GUS"],
  ["Be two people at once", "Open this page in a second tab as another person (the address says who), and press Approve in both."],
  ["Look at the app's Home", "The app's name in the sidebar opens what waits for this person, wherever it was posted.", "home"],
];

export function showHints() {
  const dialog = openDialog({ title: "What can I try?", kind: "hints", testid: "hints-panel", onEscape: () => dialog.close() });
  const go = (place, person) => {
    dialog.close();
    location.hash = person ? `${person}/C0APPROVALS` : `${workspace.me.id}/${place}`;
  };
  dialog.body.append(h("ol", { class: "hints" }, HINTS.map(([title, text, place, person]) => h("li", {}, h("strong", {}, title), h("p", {}, text),
    (place || person) && h("button", { type: "button", class: "link-button", onclick: () => go(place, person) }, person ? `Be ${workspace.users.get(person)?.real_name ?? person}` : "Go there")))), faultButtons());
  dialog.footer.append(h("button", { type: "button", class: "button button-primary", onclick: () => dialog.close() }, "Got it"));
  dialog.footer.lastChild.focus();
}
