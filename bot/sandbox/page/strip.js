// The line on top: what this is, what can be tried, and whose eyes one looks through.

import { h, replace } from "./dom.js";
import { showHints } from "./hints.js";
import { icon } from "./icons.js";
import { openMenu } from "./menus.js";
import { notice } from "./notices.js";
import { avatar } from "./people.js";
import { press, sentence } from "./server.js";
import { canSignIn, kindOf, nameOf, workspace } from "./workspace.js";

export function makeStrip({ toggleSidebar, become }) {
  const menu = h("button", { type: "button", class: "icon-button strip-menu", "aria-label": "Channels", "aria-controls": "sidebar", "aria-expanded": "false", data: { testid: "open-sidebar" }, onclick: toggleSidebar }, icon("menu"));
  const switcher = h("button", { type: "button", class: "switcher", "aria-haspopup": "menu", data: { testid: "switcher" }, onclick: (event) => choose(event.currentTarget, become) });
  const state = h("span", { class: "strip-state", role: "status", data: { testid: "connection" } });
  const words = h("p", { class: "strip-words" }, h("span", {}, "This is a sandbox: a local stand-in for Slack. ", h("span", { class: "strip-more" }, "Nothing leaves this computer. ")),
    h("button", { type: "button", class: "strip-link", data: { testid: "hints" }, onclick: showHints }, "What can I try?"), state);

  const extras = h("span", { class: "strip-buttons" });

  function draw() {
    replace(extras, ...workspace.buttons.map(extra));
    const { me } = workspace;
    const [first, rest] = (me.real_name || nameOf(me.id)).split(/ (.*)/);
    replace(switcher, avatar(me, 24), h("span", { class: "switcher-words" }, h("span", { class: "switcher-prefix" }, "You are "),
      h("strong", {}, first, rest && h("span", { class: "switcher-rest" }, ` ${rest}`)), h("span", { class: "switcher-kind" }, ` (${kindOf(me)})`)), icon("chevron", 16));
  }

  return {
    node: h("header", { class: "strip" }, menu, words, extras, switcher), draw, menu,
    connected(yes) { state.textContent = yes ? "" : "Reconnecting…"; },
  };
}

function extra(name) {
  return h("button", { type: "button", class: "strip-button", data: { testid: "extra-button" }, onclick: async ({ currentTarget: button }) => {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    const result = await press(name);
    button.disabled = false;
    button.removeAttribute("aria-busy");
    notice(sentence(result), result.ok ? "info" : "error");
  } }, name);
}

function choose(anchor, become) {
  const items = [...workspace.users.values()].map((user) => ({
    label: user.real_name || nameOf(user.id), description: [kindOf(user), user.title].filter(Boolean).join(" · "), before: avatar(user, 36),
    checked: user.id === workspace.me.id, disabled: canSignIn(user) ? null : whyNot(user), hook: user.id, testid: `be-${user.id}`,
    after: user.id === workspace.me.id ? icon("check", 18) : null, run: () => become(user.id),
  }));
  openMenu(anchor, { label: "Look through the eyes of", wide: true, items: [{ heading: "Look through the eyes of" }, ...items] });
}

const whyNot = (user) => (user.kind === "deactivated" ? "deactivated: cannot sign in" : "not a person: nobody signs in as it");
