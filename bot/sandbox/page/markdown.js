// The markdown block (standard Markdown, unlike mrkdwn): the part of it that apps send to Slack. Line by line into
// blocks, then within the line. https://docs.slack.dev/reference/block-kit/blocks/markdown-block

import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { codeNode, emojiNode, link } from "./mrkdwn.js";

export function markdown(text) {
  const rows = String(text ?? "").split("\n");
  const nodes = [];
  let at = 0;
  while (at < rows.length) {
    const [node, used] = blockAt(rows, at);
    if (node) nodes.push(node);
    at += used;
  }
  return h("div", { class: "markdown" }, nodes);
}

function blockAt(rows, at) {
  const row = rows[at];
  if (!row.trim()) return [null, 1];
  const heading = /^(#{1,6}) +(.*?) *#*$/.exec(row);
  if (heading) return [h("p", { class: "markdown-heading", role: "heading", "aria-level": "4" }, spans(heading[2])), 1];
  if (/^ *(?:[-*_] *){3,}$/.test(row)) return [h("hr"), 1];
  if (row.startsWith("```")) return fence(rows, at);
  if (/^> ?/.test(row)) return run(rows, at, /^> ?(.*)$/, (found) => h("blockquote", {}, markdown(found.join("\n"))));
  if (/^ *[-*+] +/.test(row)) return run(rows, at, /^ *[-*+] +(.*)$/, (found) => h("ul", {}, found.map(item)));
  if (/^ *\d+[.)] +/.test(row)) return run(rows, at, /^ *\d+[.)] +(.*)$/, (found) => h("ol", {}, found.map(item)));
  if (/^\|.*\|/.test(row) && /^\|[\s:|-]+\|/.test(rows[at + 1] ?? "")) return run(rows, at, /^(\|.*\|) *$/, table);
  return run(rows, at, /^(?!```|#{1,6} |> ?| *[-*+] | *\d+[.)] |\s*$)(.*)$/, (found) => h("p", {}, found.flatMap((line, index) => [index ? h("br") : null, spans(line)])));
}

function fence(rows, at) {
  const end = rows.findIndex((row, index) => index > at && row.startsWith("```"));
  const stop = end < 0 ? rows.length : end;
  return [h("pre", { class: "code-block" }, rows.slice(at + 1, stop).join("\n")), stop - at + 1];
}

/** Take the rows that match, from `at` on; make one node of them. */
function run(rows, at, pattern, make) {
  const found = [];
  for (let index = at; index < rows.length; index += 1) {
    const hit = pattern.exec(rows[index]);
    if (!hit) break;
    found.push(hit[1]);
  }
  // A row that only looked like a block start is a paragraph of its own, so that the loop always moves on.
  return found.length ? [make(found), found.length] : [h("p", {}, spans(rows[at])), 1];
}

function item(text) {
  const task = /^\[([ xX])\] +(.*)$/.exec(text);
  if (!task) return h("li", {}, spans(text));
  const done = task[1] !== " ";
  return h("li", { class: "task" }, h("span", { role: "img", "aria-label": done ? "done" : "open" }, done ? "☑" : "☐"), " ", spans(task[2]));
}

function table(rows) {
  const cells = (row) => row.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const [head, , ...body] = rows.map(cells);
  return h("div", { class: "table-scroll" }, h("table", { class: "block-table" },
    h("thead", {}, h("tr", {}, head.map((cell) => h("th", { scope: "col" }, spans(cell))))),
    h("tbody", {}, body.map((row) => h("tr", {}, row.map((cell) => h("td", {}, spans(cell))))))));
}

const SPANS = [
  [/^\\([\\`*_{}[\]()#+.!|<>~-])/, (found) => found[1]],
  [/^`([^`]+)`/, (found) => codeNode(found[1])],
  [/^\*\*(?=\S)(.+?)\*\*/, (found) => h("strong", {}, spans(found[1]))],
  [/^__(?=\S)(.+?)__/, (found) => h("strong", {}, spans(found[1]))],
  [/^~~(?=\S)(.+?)~~/, (found) => h("s", {}, spans(found[1]))],
  [/^\*(?=\S)([^*]+?)\*/, (found) => h("em", {}, spans(found[1]))],
  [/^_(?=\S)([^_]+?)_(?!\w)/, (found) => h("em", {}, spans(found[1]))],
  [/^\[([^\]]+)\]\(([^)\s]+)\)/, (found) => link(found[2], h("span", {}, spans(found[1])))],
  [/^<(https?:\/\/[^>\s]+)>/, (found) => link(found[1])],
  [/^https?:\/\/[^\s<>)]+[^\s<>).,;:!?]/, (found) => link(found[0])],
  [/^:([a-z0-9_+-]+):/, (found) => (emoji(found[1]) ? emojiNode(emoji(found[1]), found[1]) : found[0])],
];

function spans(text) {
  const nodes = [];
  let typed = "";
  let at = 0;
  while (at < text.length) {
    const inWord = /\w/.test(text[at - 1] ?? "") && text[at] === "_";
    const hit = inWord ? null : firstSpan(text.slice(at));
    if (!hit) { typed += text[at]; at += 1; continue; }
    nodes.push(typed, hit.node);
    typed = "";
    at += hit.length;
  }
  return [...nodes, typed];
}

function firstSpan(rest) {
  for (const [pattern, make] of SPANS) {
    const found = pattern.exec(rest);
    if (found) return { node: make(found), length: found[0].length };
  }
  return null;
}
