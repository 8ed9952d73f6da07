// Shortcodes that approvals and small talk use. An unknown one stays as it was typed, as in Slack.

const TABLE = {
  "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", white_check_mark: "✅", heavy_check_mark: "✔️",
  ballot_box_with_check: "☑️", x: "❌", negative_squared_cross_mark: "❎", no_entry: "⛔", no_entry_sign: "🚫",
  warning: "⚠️", rotating_light: "🚨", bell: "🔔", no_bell: "🔕", hourglass: "⌛", hourglass_flowing_sand: "⏳",
  alarm_clock: "⏰", stopwatch: "⏱️", clock1: "🕐", calendar: "📅", date: "📅", lock: "🔒", unlock: "🔓", key: "🔑", shield: "🛡️",
  robot_face: "🤖", eyes: "👀", tada: "🎉", rocket: "🚀", fire: "🔥", boom: "💥", bulb: "💡", memo: "📝", pencil: "📝",
  pencil2: "✏️", clipboard: "📋", mag: "🔍", link: "🔗", paperclip: "📎", file_folder: "📁", page_facing_up: "📄",
  package: "📦", wastebasket: "🗑️", moneybag: "💰", credit_card: "💳", dollar: "💵", chart_with_upwards_trend: "📈",
  bar_chart: "📊", email: "📧", envelope: "✉️", inbox_tray: "📥", outbox_tray: "📤", speech_balloon: "💬", question: "❓",
  grey_question: "❔", exclamation: "❗", information_source: "ℹ️", red_circle: "🔴", large_orange_circle: "🟠",
  large_yellow_circle: "🟡", large_green_circle: "🟢", large_blue_circle: "🔵", white_circle: "⚪", black_circle: "⚫",
  large_orange_diamond: "🔶", star: "⭐", sparkles: "✨", heart: "❤️", wave: "👋", pray: "🙏", clap: "👏", raised_hands: "🙌",
  ok_hand: "👌", point_right: "👉", muscle: "💪", thinking_face: "🤔", smile: "😄", slightly_smiling_face: "🙂", joy: "😂",
  sob: "😭", zzz: "💤", double_vertical_bar: "⏸️", arrow_forward: "▶️", arrow_right: "➡️", arrow_left: "⬅️", arrow_up: "⬆️",
  arrow_down: "⬇️", leftwards_arrow_with_hook: "↩️", arrows_counterclockwise: "🔄", repeat: "🔁", gear: "⚙️", wrench: "🔧",
  hammer_and_wrench: "🛠️", construction: "🚧", bust_in_silhouette: "👤", busts_in_silhouette: "👥", office: "🏢", globe_with_meridians: "🌐",
};

/** The character for a shortcode without its colons, or null. */
export const emoji = (name) => (Object.hasOwn(TABLE, name) ? TABLE[name] : null);

/** Plain text with its :shortcodes: replaced. */
export const withEmoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => emoji(name) ?? whole);
