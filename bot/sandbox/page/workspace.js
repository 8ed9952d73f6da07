// What this tab knows: who is looking, at what, and what the server has told it so far. One object, changed only
// through the functions of this module and of live.js; whoever draws something listens for the topic.

export const workspace = {
  me: null,
  team: { id: "", name: "" },
  users: new Map(),
  groups: new Map(), // id → handle
  channels: new Map(),
  commands: [],
  shortcuts: [],
  buttons: [], // names of those that whoever runs the sandbox gave it
  home: null,
  app: null, // {bot_user, app_id}
  place: null, // {kind: "channel", id} | {kind: "home", tab}
  thread: null, // {channel, ts}
  messages: new Map(), // channel id → top-level messages, oldest first
  replies: [], // the open thread: parent first
};

export function load(snapshot) {
  workspace.me = snapshot.me;
  workspace.team = snapshot.team;
  workspace.app = snapshot.app ?? null;
  workspace.users = new Map(snapshot.users.map((user) => [user.id, user]));
  workspace.groups = new Map((snapshot.usergroups ?? []).map((group) => [group.id, group.handle]));
  workspace.channels = new Map(snapshot.channels.map((channel) => [channel.id, channel]));
  workspace.commands = snapshot.commands ?? [];
  workspace.shortcuts = snapshot.shortcuts ?? [];
  workspace.buttons = snapshot.buttons ?? [];
  workspace.home = snapshot.home ?? null;
  workspace.messages = new Map();
  workspace.replies = [];
}

const KINDS = {
  member: "member", guest: "guest", single_guest: "single-channel guest", external: "external, other company",
  bot: "app", deactivated: "deactivated",
};

export const kindOf = (user) => KINDS[user.kind] ?? user.kind;

// Slack itself in the shape of a person: not a bot by its flags, and yet nobody.
const SLACKBOT = "USLACKBOT";

/** Nobody signs in as an app or with a deactivated account, here as in Slack. */
export const canSignIn = (user) => !["bot", "deactivated"].includes(user.kind) && !user.is_bot && user.id !== SLACKBOT;

export function nameOf(userId) {
  const user = workspace.users.get(userId);
  return user ? user.display_name || user.real_name || user.name : userId;
}

export function channelName(channelId) {
  const channel = workspace.channels.get(channelId);
  if (!channel) return null;
  return channel.kind === "dm" && channel.with ? nameOf(channel.with) : channel.name;
}

export const currentChannel = () => (workspace.place?.kind === "channel" ? workspace.channels.get(workspace.place.id) : null);

/** The bot user of the app whose commands and Home tab these are. */
export const theApp = () => workspace.users.get(workspace.app?.bot_user) ?? null;

/** Put a message where its timestamp belongs, or over its older self. Returns false when it was there already. */
export function place(list, message) {
  const known = list.findIndex((other) => other.ts === message.ts);
  if (known >= 0) {
    list[known] = message;
    return false;
  }
  const after = list.findIndex((other) => Number(other.ts) > Number(message.ts));
  list.splice(after < 0 ? list.length : after, 0, message);
  return true;
}
