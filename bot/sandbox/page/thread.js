// The pane at the right: one message and its replies.

import { makeComposer } from "./composer.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { makeMessageList } from "./message_list.js";
import { act } from "./server.js";
import { channelName, place, workspace } from "./workspace.js";

/** Returns {node, refresh(), add(message), showMessages(), focus()}. */
export function makeThread({ channel, ts }, { close }) {
  const scroller = h("div", { class: "scroller" });
  const divider = h("div", { class: "reply-divider" });
  const list = makeMessageList(scroller, "Replies", { days: false, after: (view, views) => (view === views[0] ? divider : null) });
  const composer = makeComposer({
    key: `${channel}/${ts}`, channel: workspace.channels.get(channel), label: "Reply…", commands: false,
    say: (text) => act(workspace.me.id, "say", { channel, text, thread_ts: ts }),
  });
  const cross = h("button", { type: "button", class: "icon-button", "aria-label": "Close thread", data: { testid: "thread-close" }, onclick: close }, icon("close"));
  const writable = workspace.channels.get(channel)?.is_member !== false && !workspace.channels.get(channel)?.is_archived;
  scroller.append(list.node, writable ? composer.node : "");

  function refresh() {
    const count = Math.max(0, workspace.replies.length - 1);
    replace(divider, h("span", {}, count === 0 ? "No replies yet" : count === 1 ? "1 reply" : `${count} replies`));
    list.steady(() => list.show(workspace.replies));
  }

  return {
    node: h("aside", { class: "pane thread", "aria-label": "Thread", data: { testid: "thread", thread: ts }, onkeydown: (event) => { if (event.key === "Escape") close(); } },
      h("header", { class: "pane-head" }, h("h2", { class: "pane-title" }, "Thread"), h("span", { class: "topic" }, workspace.channels.get(channel)?.kind === "dm" ? "" : "#", channelName(channel) ?? ""), cross),
      scroller),
    refresh,
    add(message) {
      place(workspace.replies, message);
      refresh();
      if (message.user === workspace.me.id) list.toBottom();
    },
    showMessages() { refresh(); list.toBottom(); },
    // On a phone, focus in a text field would raise the keyboard over what one came to read.
    focus: () => (writable && window.matchMedia("(hover: hover)").matches ? composer.focus() : cross.focus()),
  };
}
