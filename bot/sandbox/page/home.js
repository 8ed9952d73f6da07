// The app's own page: its Home tab, the conversation with it, and what it can do.

import { renderBlocks } from "./blocks.js";
import { h, keepingFocus, replace } from "./dom.js";
import { avatar, badge, openDm } from "./people.js";
import { Surface } from "./surface.js";
import { nameOf, theApp, workspace } from "./workspace.js";

/** Returns {node, refresh()}; `refresh` draws what `workspace.home` has become. */
export function makeHome() {
  const app = theApp();
  const content = h("div", { class: "home-content" });
  const tabs = { home: "Home", messages: "Messages", about: "About" };
  let tab = "home";
  let surface = null;

  const button = (name) => h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-selected": String(name === tab), "aria-controls": "home-panel",
    tabindex: name === tab ? "0" : "-1", data: { testid: `home-tab-${name}` }, onclick: () => pick(name), onkeydown: arrows }, tabs[name]);
  const bar = h("div", { class: "tabs", role: "tablist", "aria-label": nameOf(app.id) });
  const panel = h("div", { class: "scroller home", role: "tabpanel", id: "home-panel", tabindex: "0" }, content);

  function pick(name) {
    if (name === "messages") return openDm(app.id);
    tab = name;
    refresh();
    bar.querySelector(`#tab-${name}`).focus();
  }

  function arrows(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const all = [...bar.children];
    all[(all.indexOf(event.currentTarget) + step + all.length) % all.length].focus();
  }

  function refresh() {
    replace(bar, Object.keys(tabs).map(button));
    panel.setAttribute("aria-labelledby", `tab-${tab}`);
    keepingFocus(panel, () => replace(content, tab === "about" ? about(app) : homeBlocks()));
  }

  function homeBlocks() {
    const view = workspace.home;
    if (!view) return h("p", { class: "empty" }, `${nameOf(app.id)} has not published a Home for ${nameOf(workspace.me.id)} yet.`);
    if (surface?.container.view_id !== view.id) {
      surface = new Surface({ type: "view", view_id: view.id }, content, refresh);
      surface.remember(view.state?.values);
    }
    return h("div", { class: "blocks", data: { testid: "home-view", viewId: view.id } }, renderBlocks(view.blocks, surface));
  }

  refresh();
  return {
    node: h("section", { class: "pane channel", "aria-label": `${nameOf(app.id)} app`, data: { testid: "home" } },
      h("header", { class: "pane-head home-head" }, h("h1", { class: "pane-title" }, avatar(app, 24), h("span", {}, nameOf(app.id)), badge(app)), bar), panel),
    refresh,
  };
}

function about(app) {
  const rows = (pairs) => h("dl", { class: "about" }, pairs.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
  const command = ({ command: name, usage_hint: hint, description }) => [h("code", {}, name, hint ? ` ${hint}` : ""), description];
  return h("div", { class: "blocks" },
    h("p", {}, app.title || `${nameOf(app.id)} is the app that this sandbox runs.`),
    h("h2", {}, "Commands"), rows(workspace.commands.map(command)),
    workspace.shortcuts.length > 0 && [h("h2", {}, "Shortcuts"), rows(workspace.shortcuts.map(({ name, type }) => [name, type === "message" ? "on a message, under ⋯" : "beside the message field, under +"]))]);
}
