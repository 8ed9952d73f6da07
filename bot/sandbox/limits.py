"""Slack's limits, each with where it is written down.

Sources: [D] docs.slack.dev, [SDK] validators of slack-sdk 3.47, [T] comments in @slack/types 3.2, [I] a
public issue. Where sources disagree, the stricter is taken: what passes here passes on Slack.
"""

from __future__ import annotations

# Blocks and their parts: docs.slack.dev/reference/block-kit
MESSAGE_BLOCKS = 50  # [D] blocks
VIEW_BLOCKS = 100  # [D] blocks; [SDK] View.blocks_max_length
BLOCK_ID_CHARS = 255  # [D]
ACTION_ID_CHARS = 255  # [D]
TEXT_CHARS = 3_000  # [D] composition objects: text
SECTION_TEXT_CHARS = 3_000  # [D] section
SECTION_FIELDS = 10  # [D] section
SECTION_FIELD_CHARS = 2_000  # [D] section
HEADER_CHARS = 150  # [D] header
CONTEXT_ELEMENTS = 10  # [D] context
ACTIONS_ELEMENTS = 25  # [D] actions; Slack says "no more than 25 items allowed"
CONTEXT_ACTIONS_ELEMENTS = 5  # [D] context actions
IMAGE_URL_CHARS = 3_000  # [D] image
FILE_ALT_TEXT_CHARS = 1_000  # https://docs.slack.dev/reference/methods/files.getUploadURLExternal
ALT_TEXT_CHARS = 2_000  # [D] image
IMAGE_TITLE_CHARS = 2_000  # [D] image
INPUT_LABEL_CHARS = 2_000  # [D] input
INPUT_HINT_CHARS = 2_000  # [D] input
MARKDOWN_CHARS = 12_000  # [D] markdown: all of one payload together
TABLE_ROWS = 100  # [D] table
TABLE_CELLS = 20  # [D] table: in a row
TABLES = 1  # [D] table: in one message

# Elements
BUTTON_TEXT_CHARS = 75  # [D] button
BUTTON_VALUE_CHARS = 2_000  # [D] button
BUTTON_URL_CHARS = 3_000  # [D] button
ACCESSIBILITY_LABEL_CHARS = 75  # [D] button
VISIBLE_TO_USERS = 10  # [SDK] icon button
AGENT_PROMPT_CHARS = 4_000  # [SDK] button
CONFIRM_TITLE_CHARS = 100  # [D] confirmation dialog
CONFIRM_TEXT_CHARS = 300  # [D]
CONFIRM_BUTTON_CHARS = 30  # [D]
OPTION_TEXT_CHARS = 75  # [D] option
OPTION_VALUE_CHARS = 75  # [T]; 150 in [SDK]
OPTION_URL_CHARS = 3_000  # [D] option, in overflow menus only
GROUP_LABEL_CHARS = 75  # [D] option group
SELECT_OPTIONS = 100  # [D] select menus; as many groups
CHOICES = 10  # [D] checkboxes and radio buttons
OVERFLOW_OPTIONS = 5  # [D] overflow
PLACEHOLDER_CHARS = 150  # [D]
INPUT_CHARS = 3_000  # [D] plain-text input: the most that min_length and max_length can be
FILES_IN_INPUT = 10  # [D] file input
NUMBER_CHARS = 255  # unwritten; far beyond any number

# OAuth: docs.slack.dev/authentication/installing-with-oauth, …/using-token-rotation
OAUTH_CODE_S = 600  # [D]
ROTATED_TOKEN_S = 43_200  # [D]
ACTIVE_TOKENS = 2  # [D] of one installation, where tokens rotate
REFRESH_GRACE_S = 60.0  # [D] says "short"

# Views: docs.slack.dev/reference/views
VIEW_TITLE_CHARS = 24  # [D]
VIEW_BUTTON_CHARS = 24  # [D] submit and close
CALLBACK_ID_CHARS = 255  # [D]
EXTERNAL_ID_CHARS = 255  # [D]
PRIVATE_METADATA_CHARS = 3_000  # [D]
VIEW_BYTES = 250_000  # [D] views.open: `view_too_large`
VIEW_STACK = 3  # [D] views.push: `push_limit_reached`

# Messages: docs.slack.dev/reference/methods/chat.postMessage
MESSAGE_TEXT_CHARS = 40_000  # [D] longer is cut off
UPDATE_TEXT_CHARS = 4_000  # [D] chat.update: `msg_too_long`
MARKDOWN_TEXT_CHARS = 12_000  # [D]
MESSAGE_BLOCKS_CHARS = 13_000  # [I] slackapi/bolt-js#2509: `msg_blocks_too_long` from about 13,170
ATTACHMENTS = 100  # [D] `too_many_attachments`
METADATA_CHARS = 8_000  # undocumented; `metadata_too_large`

# Clocks: docs.slack.dev/interactivity
ACK_S = 3.0  # [D] handling user interaction
TRIGGER_S = 3.0  # [D] `expired_trigger_id`
RESPONSE_URL_USES = 5  # [D]
RESPONSE_URL_S = 30 * 60.0  # [D]
EVENT_RETRY_DELAYS_S = (0.0, 60.0, 300.0)  # [D] events API: nearly at once, after 1 minute, after 5

# Transport: docs.slack.dev/apis/events-api/using-socket-mode
SOCKETS = 10  # [D] connections of one app
SOCKET_TICKET_S = 30.0  # how long an address from apps.connections.open can be used

# Rates: docs.slack.dev/apis/web-api/rate-limits. (calls a minute, calls at once)
TIERS: dict[int, tuple[int, int]] = {
    1: (1, 20),  # "1+ per minute", with room for ten sockets to connect and once to reconnect
    2: (20, 20),
    3: (50, 50),
    4: (100, 100),
    600: (600, 600),  # auth.test, chat.getPermalink: "hundreds of requests per minute"
    0: (6_000, 6_000),  # special: limited elsewhere, or not at all
}
CHANNEL_MESSAGES_PER_S = 1.0  # [D] chat.postMessage, with short bursts
CHANNEL_BURST = 5

PAGE_LIMIT_DEFAULT = 100  # [D] conversations.*
PAGE_LIMIT_MAX = 999  # [D] "an integer under 1000"


def length(text: str) -> int:
    """How long Slack may find `text`: it does not say whether it counts code points or UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
