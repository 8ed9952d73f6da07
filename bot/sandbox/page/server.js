// The few things this page asks of the sandbox's server. Failures come back as values: a page that throws when its
// server restarts is of no use to somebody who restarts it all day.

// A little more than the 3 s that the app has to acknowledge, so that the server's own verdict arrives first.
const PATIENCE_MS = 8000;
const BUTTON_PATIENCE_MS = 35_000;

async function ask(path, options = {}, patienceMs = PATIENCE_MS) {
  try {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(patienceMs) });
    return await response.json();
  } catch {
    return { ok: false, error: "unreachable" };
  }
}

const query = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value)).toString();

export const snapshot = (as) => ask(`page/snapshot?${query({ as })}`);

export const messages = (as, channel, thread) => ask(`page/messages?${query({ as, channel, thread })}`);

const post = (path, body, patienceMs) => ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }, patienceMs);

export const act = (as, what, details = {}) => post("page/act", { as, do: what, ...details });

/** A button of whoever runs the sandbox. Its work may take longer than a click. */
export const press = (name) => post(`page/buttons/${encodeURIComponent(name)}`, {}, BUTTON_PATIENCE_MS);

/** Faults on demand; what may be wanted is in the sandbox's README. */
export const misbehave = (wanted) => post("page/controls", wanted);

const SENTENCES = {
  operation_timeout: "This app is taking too long to respond. Please try again in a moment.",
  unreachable: "The sandbox's server does not answer. Is it still running?",
  not_in_channel: "You aren't in this channel, so you can't write here.",
  not_allowed: "Slack does not let this account do that.",
  is_archived: "This channel is archived: nobody can write here.",
};

/** What went wrong, in a sentence; the server's own words come first. */
export const sentence = (result) => result.notice
  ?? SENTENCES[result.error]
  ?? `Something went wrong: the app answered “${String(result.error ?? "nothing").replaceAll("_", " ")}”.`;
