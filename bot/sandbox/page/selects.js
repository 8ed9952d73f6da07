// Menus that hold one choice, as native <select>s: on a phone they open the phone's own picker.

import { h } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { common, dispatches } from "./inputs.js";
import { decode } from "./mrkdwn.js";
import { channelName, nameOf, workspace } from "./workspace.js";

const plain = (object) => withEmoji(decode(object?.text ?? ""));

export function staticSelect(part, blockId, surface, inInput) {
  const now = surface.field(blockId, part, { type: part.type, selected_option: part.initial_option ?? null });
  const all = (part.option_groups ?? []).flatMap((group) => group.options).concat(part.options ?? []);
  const draw = (option) => h("option", { value: option.value, selected: option.value === now.selected_option?.value },
    option.description ? `${plain(option.text)} – ${plain(option.description)}` : plain(option.text));
  const groups = (part.option_groups ?? []).map((group) => h("optgroup", { label: plain(group.label) }, group.options.map(draw)));
  return select(part, blockId, inInput, now.selected_option, [groups, (part.options ?? []).map(draw)], (value) => {
    surface.enter(blockId, part, { type: part.type, selected_option: all.find((option) => option.value === value) ?? null });
    if (dispatches(inInput) && value) surface.press(blockId, part, value);
  });
}

// What a select of people, channels or both calls its choice, in the element and in its state.
const PICKS = {
  users_select: { state: "selected_user", initial: "initial_user" },
  channels_select: { state: "selected_channel", initial: "initial_channel" },
  conversations_select: { state: "selected_conversation", initial: "initial_conversation" },
};

export function peopleSelect(part, blockId, surface, inInput) {
  const pick = PICKS[part.type];
  const now = surface.field(blockId, part, { type: part.type, [pick.state]: part[pick.initial] ?? null });
  const chosen = now[pick.state];
  const options = candidates(part.type).map(([id, name]) => h("option", { value: id, selected: id === chosen }, name));
  return select(part, blockId, inInput, chosen, options, (value) => {
    surface.enter(blockId, part, { type: part.type, [pick.state]: value || null });
    if (dispatches(inInput) && value) surface.press(blockId, part, value);
  });
}

/** [id, name] of whatever a select of this type offers, by name. */
export function candidates(type) {
  const people = [...workspace.users.values()].filter((user) => user.kind !== "deactivated").map((user) => [user.id, nameOf(user.id)]);
  const channels = [...workspace.channels.values()].filter((channel) => channel.kind !== "dm" && !channel.is_archived)
    .map((channel) => [channel.id, `#${channelName(channel.id)}`]);
  const found = type.includes("users") ? people : type.includes("channels") ? channels : [...channels, ...people];
  return found.sort(([, one], [, other]) => one.localeCompare(other));
}

function select(part, blockId, inInput, chosen, options, changed) {
  const { placeholder, ...shared } = common(part, blockId, inInput);
  // An empty first row shows the placeholder and, where the field may stay empty, takes the choice back.
  const none = h("option", { value: "", selected: !chosen, disabled: dispatches(inInput) && !inInput, hidden: !inInput || inInput.required },
    placeholder ?? "Select an option");
  const node = h("select", { ...shared, class: chosen ? "" : "empty", onchange: (event) => changed(event.target.value) }, none, options);
  return h("span", { class: "select" }, node);
}
