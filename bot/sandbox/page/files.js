// Files and pictures. Pictures are shown only from the sandbox's own server: whatever an agent puts into a message,
// this page tells nobody on the internet that somebody read it.

import { h } from "./dom.js";
import { icon } from "./icons.js";

export function localImage(address, alt, className) {
  if (isLocal(address)) return h("img", { class: className, src: address, alt: alt ?? "" });
  return h("span", { class: `${className} picture-elsewhere`, role: "img", "aria-label": alt ?? "", title: `Not fetched by the sandbox: ${address}` }, alt ?? "picture");
}

/** Where a picture of a block lies: an upload is served by the sandbox, whatever address it goes by at Slack. */
export function pictureOf({ image_url: address, slack_file: file }) {
  const id = file?.id ?? /\/(F[A-Z0-9]+)\//.exec(file?.url ?? "")?.[1];
  return id ? `/page/files/${id}/picture` : address;
}

function isLocal(address) {
  try {
    const url = new URL(address, location.href);
    return url.origin === location.origin || url.protocol === "data:";
  } catch {
    return false;
  }
}

export const fileCards = (files) => h("div", { class: "files" }, files.map(card));

function card(file) {
  const name = file.title || file.name;
  if (file.mimetype?.startsWith("image/")) {
    return h("figure", { class: "file-picture", data: { fileId: file.id } }, h("figcaption", {}, name, " ", size(file)), localImage(file.url, file.alt_text || name, "block-picture"));
  }
  return h("div", { class: "file-card", data: { fileId: file.id } },
    h("a", { class: "file-head", href: isLocal(file.url) ? file.url : null, target: "_blank", rel: "noopener", download: file.name },
      h("span", { class: "file-icon" }, icon("file", 22)),
      h("span", {}, h("span", { class: "file-name" }, name), h("span", { class: "file-size" }, `${file.name} · `, size(file)))),
    file.preview && h("pre", { class: "file-preview", tabindex: "0", "aria-label": `Beginning of ${name}` }, file.preview));
}

function size({ size: bytes }) {
  if (bytes === undefined || bytes === null) return "";
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
