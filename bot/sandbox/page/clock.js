// Times as the person looking would read them: in the time zone of their Slack profile, not in that of this computer,
// so that Ana in Berlin and Kim in New York see the same deadline differently.

import { workspace } from "./workspace.js";

const zone = () => workspace.me?.tz || undefined;

function format(date, options) {
  return new Intl.DateTimeFormat(undefined, { timeZone: zone(), ...options }).format(date);
}

export const fromTs = (ts) => new Date(Number(ts) * 1000);

export const time = (date) => format(date, { hour: "numeric", minute: "2-digit" });

/** 2026-01-31, as the calendar on the person's wall has it. */
export const dayOf = (date) => new Intl.DateTimeFormat("en-CA", { timeZone: zone(), dateStyle: "short" }).format(date);

const DAY_MS = 86_400_000;

function nearDay(date) {
  const day = dayOf(date);
  const now = Date.now();
  if (day === dayOf(new Date(now))) return "today";
  if (day === dayOf(new Date(now - DAY_MS))) return "yesterday";
  if (day === dayOf(new Date(now + DAY_MS))) return "tomorrow";
  return null;
}

function ordinal(date) {
  const day = Number(dayOf(date).slice(8));
  const ending = day % 100 >= 11 && day % 100 <= 13 ? "th" : ["th", "st", "nd", "rd"][day % 10] ?? "th";
  return `${day}${ending}`;
}

const english = (date, options) => new Intl.DateTimeFormat("en-US", { timeZone: zone(), ...options }).format(date);
const month = (date) => english(date, { month: "long" });
const weekday = (date) => english(date, { weekday: "long" });
const year = (date) => dayOf(date).slice(0, 4);

// Slack's date tokens: https://docs.slack.dev/messaging/formatting-message-text
const TOKENS = {
  date_num: dayOf,
  date_slash: (date) => dayOf(date).replaceAll("-", "/"),
  date: (date) => `${month(date)} ${ordinal(date)}, ${year(date)}`,
  date_short: (date) => english(date, { month: "short", day: "numeric", year: "numeric" }),
  date_long: (date) => `${weekday(date)}, ${month(date)} ${ordinal(date)}, ${year(date)}`,
  day_divider_pretty: (date) => capital(nearDay(date) ?? `${weekday(date)}, ${month(date)} ${ordinal(date)}`),
  time,
  time_secs: (date) => format(date, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago,
};
for (const name of ["date", "date_short", "date_long"]) {
  TOKENS[`${name}_pretty`] = (date) => nearDay(date) ?? TOKENS[name](date);
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);

function ago(date) {
  const seconds = Math.round((date.getTime() - Date.now()) / 1000);
  const steps = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];
  let amount = seconds;
  for (const [unit, size] of steps) {
    if (Math.abs(amount) < size) return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(Math.round(amount), unit);
    amount /= size;
  }
  return "";
}

/** “{date_short_pretty} at {time}” filled in; null when it names a token that Slack does not know (the fallback is due). */
export function fillDate(pattern, unixSeconds) {
  const date = new Date(Number(unixSeconds) * 1000);
  if (Number.isNaN(date.getTime())) return null;
  let known = true;
  const filled = pattern.replace(/\{(\w+)\}/g, (_, name) => {
    known = known && name in TOKENS;
    return known ? TOKENS[name](date) : "";
  });
  return known ? filled : null;
}

export const dayDivider = (date) => TOKENS.day_divider_pretty(date);
export const fullTime = (date) => `${TOKENS.date_long(date)} at ${TOKENS.time_secs(date)}`;
export const replyAge = (date) => (Date.now() - date.getTime() < DAY_MS ? ago(date) : `${TOKENS.date_short_pretty(date)} at ${time(date)}`);

/** Unix seconds of a wall-clock time ("2026-01-31T15:30") in the person's zone. */
export function fromWall(wall) {
  const asUtc = Date.parse(`${wall}:00Z`);
  if (Number.isNaN(asUtc)) return null;
  // The offset depends on the instant we are looking for; two rounds settle it, also around a change of the clocks.
  let instant = asUtc;
  for (let round = 0; round < 2; round += 1) instant = asUtc - offsetMs(instant);
  return Math.round(instant / 1000);
}

/** The other way: Unix seconds as "2026-01-31T15:30". */
export function toWall(unixSeconds) {
  const ms = unixSeconds * 1000;
  return new Date(ms + offsetMs(ms)).toISOString().slice(0, 16);
}

function offsetMs(instant) {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone(), hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  }).formatToParts(new Date(instant));
  const at = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second) - Math.floor(instant / 1000) * 1000;
}
