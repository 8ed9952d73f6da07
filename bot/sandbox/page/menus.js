// A menu that opens at a button: arrow keys move, Enter or Space picks, Esc or a click elsewhere closes.

import { byId, h } from "./dom.js";

let current = null;

/**
 * items: [{label: node|text, description?, before?: node, hook?, disabled?: reason, checked?, run}] or {heading}.
 * `disabled` is the sentence that says why; such an item can be read and not picked.
 */
export function openMenu(anchor, { label, items, wide = false }) {
  const again = current?.anchor === anchor;
  closeMenu();
  if (again) return;
  const rows = items.map(draw);
  const menu = h("div", { class: `menu ${wide ? "menu-wide" : ""}`, role: "menu", "aria-label": label, onkeydown: keys }, rows);
  byId("menus").append(menu);
  anchor.setAttribute("aria-expanded", "true");
  current = { anchor, menu };
  position(anchor, menu);
  (menu.querySelector("[aria-checked=true]") ?? reachable(menu)[0] ?? menu).focus({ preventScroll: true });
}

export function closeMenu({ refocus = false } = {}) {
  if (!current) return;
  const { anchor, menu } = current;
  current = null;
  anchor.removeAttribute("aria-expanded");
  menu.remove();
  if (refocus && anchor.isConnected) anchor.focus({ preventScroll: true });
}

function draw(item) {
  if (item.heading) return h("div", { class: "menu-heading", role: "presentation" }, item.heading);
  const pick = () => {
    if (item.disabled) return;
    closeMenu({ refocus: true });
    item.run();
  };
  return h("div", {
    role: item.checked === undefined ? "menuitem" : "menuitemradio", tabindex: "-1", class: "menu-item", onclick: pick,
    "aria-disabled": item.disabled ? "true" : null, "aria-checked": item.checked === undefined ? null : String(item.checked),
    data: { option: item.hook, testid: item.testid },
    onmousemove: (event) => event.currentTarget.focus({ preventScroll: true }),
  }, item.before, h("span", { class: "menu-text" }, h("span", { class: "menu-label" }, item.label),
    (item.disabled || item.description) && h("span", { class: "menu-description" }, item.disabled || item.description)), item.after);
}

const reachable = (menu) => [...menu.querySelectorAll(".menu-item")];

function keys(event) {
  const items = reachable(event.currentTarget);
  const at = items.indexOf(document.activeElement);
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
  if (event.key in moves) items[(moves[event.key] + items.length) % items.length]?.focus();
  else if (event.key === "Enter" || event.key === " ") items[at]?.click();
  else if (event.key === "Escape" || event.key === "Tab") closeMenu({ refocus: true });
  else if (event.key.length === 1) typeAhead(items, at, event.key);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function typeAhead(items, at, letter) {
  const after = [...items.slice(at + 1), ...items.slice(0, at + 1)];
  after.find((item) => item.textContent.trim().toLowerCase().startsWith(letter.toLowerCase()))?.focus();
}

/** Below the button where there is room, else above; always wholly on the screen. */
function position(anchor, menu) {
  const at = anchor.getBoundingClientRect();
  const margin = 8;
  const below = window.innerHeight - at.bottom - margin;
  const height = menu.offsetHeight;
  const top = height <= below || below > at.top ? at.bottom + 4 : at.top - height - 4;
  const left = Math.min(at.left, window.innerWidth - menu.offsetWidth - margin);
  menu.style.setProperty("top", `${Math.max(margin, top)}px`);
  menu.style.setProperty("left", `${Math.max(margin, left)}px`);
  menu.style.setProperty("max-height", `${window.innerHeight - Math.max(margin, top) - margin}px`);
}

document.addEventListener("pointerdown", (event) => {
  if (current && !current.menu.contains(event.target) && !current.anchor.contains(event.target)) closeMenu();
});
window.addEventListener("resize", () => closeMenu());
