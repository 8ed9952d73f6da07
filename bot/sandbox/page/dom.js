// Building DOM nodes. Everything on this page is built with `h`: text always becomes a text node, never markup, so a
// message cannot smuggle elements into the page.

/** h("button", {class: "x", "aria-label": "…", onclick: f, data: {ts: "1"}}, "text", node, [more]) */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(node, name, value);
  append(node, children);
  return node;
}

function set(node, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name === "data") Object.assign(node.dataset, defined(value));
  else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked" || name === "selected") node[name] = value;
  else node.setAttribute(name, value === true ? "" : String(value));
}

function defined(record) {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined && value !== null));
}

export function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

export function replace(node, ...children) {
  node.replaceChildren();
  return append(node, children);
}

let lastId = 0;

/** A document-wide unique id, for aria-labelledby and the like. */
export function uniqueId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

export const byId = (id) => document.getElementById(id);

// What Tab can reach, in document order. Used by the focus trap of dialogs.
const FOCUSABLE = "a[href], summary, button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), [tabindex='0']";

export function focusable(root) {
  return [...root.querySelectorAll(FOCUSABLE)].filter((node) => node.getClientRects().length > 0);
}

/**
 * Run `change`, which may replace what is inside `root`, and put focus (and the caret) back on the twin of the element
 * that had it. Twins share data-block-id and data-action-id, which is also how Slack matches them.
 */
export function keepingFocus(root, change) {
  const active = document.activeElement;
  const had = root.contains(active) && active !== root;
  const hook = had ? hookOf(active) : null;
  const caret = had && "selectionStart" in active ? [active.selectionStart, active.selectionEnd] : null;
  change();
  if (!had || root.contains(document.activeElement)) return;
  const twin = hook && root.querySelector(hook);
  const target = twin ?? root.closest("[tabindex]") ?? null;
  target?.focus({ preventScroll: true });
  if (twin && caret && caret[0] !== null) {
    try { twin.setSelectionRange(...caret); } catch { /* dates and numbers have no caret */ }
  }
}

function hookOf(node) {
  for (const name of ["data-action-id", "data-testid"]) {
    const value = node.getAttribute(name);
    if (!value) continue;
    const block = node.getAttribute("data-block-id");
    const option = node.getAttribute("data-option");
    return `[${name}=${CSS.escape(value)}]`
      + (block ? `[data-block-id=${CSS.escape(block)}]` : "")
      + (option ? `[data-option=${CSS.escape(option)}]` : "");
  }
  return null;
}
