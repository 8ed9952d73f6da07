// “Make it misbehave”: what Slack and the network do on a bad day, once, on demand. An app must live with all of it.

import { h } from "./dom.js";
import { notice } from "./notices.js";
import { misbehave, sentence } from "./server.js";

const FAULTS = [
  ["Deliver the next click twice", { fault: "duplicate" }],
  ["Lose the next click", { fault: "lose" }],
  ["Refuse the app's next update: too many calls", { fault: "429", method: "chat.update", retry_after: 3 }],
  ["Fail the app's next post", { fault: "500", method: "chat.postMessage" }],
  ["Break the app's connection", { fault: "abort" }],
];

export function faultButtons() {
  const ask = async (name, wanted) => {
    const result = await misbehave(wanted);
    notice(result.ok ? `Will do, once: ${name.toLowerCase()}.` : sentence(result), result.ok ? "info" : "error");
  };
  return h("details", { class: "faults" }, h("summary", {}, "Make it misbehave"),
    h("p", {}, "Each happens once. Then decide something, and see that nothing is lost or done twice."),
    h("div", { class: "fault-buttons" }, FAULTS.map(([name, wanted]) => h("button", { type: "button", class: "button", onclick: () => ask(name, wanted) }, name))));
}
