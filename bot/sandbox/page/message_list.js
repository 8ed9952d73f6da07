// Messages under one another, with a line where a day begins. Changes leave everything else where it is: scrolling,
// focus, half-typed inputs.

import { dayDivider, dayOf, fromTs } from "./clock.js";
import { h } from "./dom.js";
import { makeMessage } from "./message.js";

// Messages of one author within this time stand together under one name, as in Slack.
const TOGETHER_S = 300;
const AT_BOTTOM_PX = 48;

/** `scroller` is what scrolls; `after(view, views)` may put a node after one message (a thread does). */
export function makeMessageList(scroller, label, { days = true, after = null, ...options } = {}) {
  // role=log for navigation, but not live: what is new is said by announce(), in the words that Slack would say.
  const container = h("div", { class: "messages", role: "log", "aria-live": "off", "aria-label": label, data: { testid: "messages" } });
  const dividers = new Map();
  let views = [];

  const isAtBottom = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_BOTTOM_PX;
  const toBottom = () => { scroller.scrollTop = scroller.scrollHeight; };

  /** Do something that changes heights; who was at the end stays at the end. */
  function steady(change) {
    const was = isAtBottom();
    change();
    if (was) toBottom();
    return was;
  }

  function show(messages) {
    const known = new Map(views.map((view) => [view.message.ts, view]));
    views = messages.map((message) => {
      const view = known.get(message.ts) ?? makeMessage(message, options);
      if (view.message !== message) view.update(message);
      return view;
    });
    arrange();
  }

  function arrange() {
    const wanted = [];
    let previous = null;
    for (const view of views) {
      const newDay = days && (!previous || dayOf(fromTs(previous.ts)) !== dayOf(fromTs(view.message.ts)));
      if (newDay) wanted.push(divider(view.message));
      view.setCompact(!newDay && goesWith(previous, view.message));
      wanted.push(view.node);
      const between = after?.(view, views);
      if (between) wanted.push(between);
      previous = view.message;
    }
    reconcile(container, wanted);
  }

  function divider(message) {
    const day = dayOf(fromTs(message.ts));
    if (!dividers.has(day)) dividers.set(day, h("div", { class: "day", role: "separator" }, h("span", {}, dayDivider(fromTs(message.ts)))));
    return dividers.get(day);
  }

  return {
    node: container, show, steady, toBottom, isAtBottom,
    get size() { return views.length; },
    flash(ts) { container.querySelector(`[data-ts="${CSS.escape(ts)}"]`)?.scrollIntoView({ block: "center" }); },
  };
}

const goesWith = (previous, message) => Boolean(previous)
  && previous.user === message.user && previous.username === message.username
  && !previous.ephemeral && !message.ephemeral && !previous.reply_count
  && Number(message.ts) - Number(previous.ts) < TOGETHER_S;

/** Make `container` hold exactly `wanted`, moving only what is out of place (a moved node loses its focus). */
function reconcile(container, wanted) {
  let cursor = container.firstChild;
  for (const node of wanted) {
    if (node === cursor) cursor = cursor.nextSibling;
    else container.insertBefore(node, cursor);
  }
  while (cursor) {
    const next = cursor.nextSibling;
    cursor.remove();
    cursor = next;
  }
}
