// The few line icons of the page, drawn here: 20 × 20, stroked with the text colour, hidden from screen readers
// (the control that holds one carries the label).

const PATHS = {
  hash: "M7.5 3.5l-1.5 13M14 3.5l-1.5 13M3.5 7.5h13.5M3 12.5h13.5",
  lock: "M5 9h10v7.5H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  home: "M3.5 9.5L10 4l6.5 5.5M5.5 8.5v7.5h9V8.5",
  menu: "M3.5 5.5h13M3.5 10h13M3.5 14.5h13",
  close: "M5 5l10 10M15 5L5 15",
  back: "M12 4.5L6.5 10l5.5 5.5",
  chevron: "M5.5 8l4.5 4.5L14.5 8",
  reply: "M4 4.5h12v9h-6l-3.5 3v-3H4z",
  more: "M10 4.6v.1M10 10v.1M10 15.3v.1",
  dots: "M4.6 10h.1M10 10h.1M15.3 10h.1",
  send: "M4 16.5l13-6.5L4 3.5l1.5 6.5zM5.5 10H11",
  plus: "M10 4v12M4 10h12",
  people: "M7.5 9.5a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4zM2.5 16c.3-3 2.2-4.5 5-4.5s4.7 1.5 5 4.5M13 4.5a2.5 2.5 0 0 1 0 4.8M14.5 11.7c1.8.6 2.8 2 3 4.3",
  eye: "M2.5 10c2-3.3 4.5-5 7.5-5s5.5 1.7 7.5 5c-2 3.3-4.5 5-7.5 5s-5.5-1.7-7.5-5zM10 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  file: "M5.5 3h6l3.5 3.5V17h-9.5zM11.5 3v3.5H15",
  bulb: "M7.5 14c-.2-1.5-2-2.6-2-5a4.5 4.5 0 0 1 9 0c0 2.4-1.8 3.5-2 5zM8 16.8h4",
  bolt: "M11 3L5 11.5h4.5L9 17l6-8.5h-4.5z",
  at: "M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0zm0-3v4.2c0 1.3.7 2 1.8 2 1.3 0 2.2-1.3 2.2-3.2a7 7 0 1 0-2.8 5.6",
  trash: "M4 6h12M8 6V4h4v2M5.5 6l.7 10.5h7.6L14.5 6M8.5 9v5M11.5 9v5",
  check: "M4 10.5l4 4 8-9",
  warning: "M10 3.5l7.5 13h-15zM10 8v4M10 14.3v.1",
};

export function icon(name, size = 20) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const box = { viewBox: "0 0 20 20", width: size, height: size, "aria-hidden": "true", class: `icon icon-${name}` };
  for (const [key, value] of Object.entries(box)) svg.setAttribute(key, value);
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
