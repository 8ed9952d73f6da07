"""A card or a dialog as text, so that a person can review it in a diff."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from blocks.pieces import Card

WIDTH = 100
RULE = "─" * WIDTH


def card_text(card: Card) -> str:
    """The blocks as they look, then the text that a screen reader says."""
    return "\n".join([*_blocks(card.blocks), RULE, card.text, ""])


def view_text(view: dict[str, Any]) -> str:
    title = f"╔ {view['title']['text']}" if "title" in view else "╔ Home"
    buttons = [f"({view[name]['text']})" for name in ("submit", "close") if name in view]
    return "\n".join([title, *_blocks(view["blocks"]), f"╚ {'  '.join(buttons)}", ""])


def _blocks(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        yield from _block(block)


def _block(block: dict[str, Any]) -> Iterator[str]:
    match block["type"]:
        case "header":
            yield f"# {block['text']['text']}"
        case "section":
            accessory = f"   {_element(block['accessory'])}" if "accessory" in block else ""
            yield f"{_text(block['text'])}{accessory}"
        case "context":
            yield f"  · {' '.join(_text(one) for one in block['elements'])}"
        case "actions":
            yield "  ".join(_element(one) for one in block["elements"])
        case "rich_text":
            for one in block["elements"]:
                yield from _rich(one)
        case "input":
            optional = " (optional)" if block["optional"] else ""
            yield f"{block['label']['text']}{optional}: {_element(block['element'])}"
            if "hint" in block:
                yield f"    {block['hint']['text']}"
        case kind:
            yield f"— {kind} —"


def _rich(element: dict[str, Any]) -> Iterator[str]:
    words = "".join(map(_node, element["elements"]))
    edge = {"rich_text_preformatted": "    ", "rich_text_quote": "  ▌ "}.get(element["type"], "")
    for line in words.split("\n"):
        yield f"{edge}{line}".rstrip()


def _node(node: dict[str, Any]) -> str:
    match node["type"]:
        case "date":
            return f"{{{node['fallback']}}}"
        case "link":
            return f"{node['text']} <{node['url']}>"
        case "text" if node.get("style", {}).get("bold"):
            return f"*{node['text']}*"
        case "text":
            return str(node["text"])
        case kind:
            return f"<{kind}>"


def _text(text: dict[str, Any]) -> str:
    return str(text["text"])


def _element(element: dict[str, Any]) -> str:
    match element["type"]:
        case "button":
            style = {"primary": "!", "danger": "!!"}.get(element.get("style", ""), "")
            asks = f" → {_confirm(element['confirm'])}" if "confirm" in element else ""
            return f"[{style}{element['text']['text']}{asks}]"
        case "overflow":
            return f"[⋯ {' · '.join(one['text']['text'] for one in element['options'])}]"
        case "radio_buttons" | "static_select" as kind:
            mark = "○" if kind == "radio_buttons" else "▾"
            first = element.get("initial_option")
            return " ".join(
                f"{'●' if one == first else mark} {one['text']['text']}" for one in element["options"]
            )
        case kind:
            return f"⟦{kind}{_limits(element)}: {_start(element)}⟧"


def _confirm(confirm: dict[str, Any]) -> str:
    title, words, yes, no = (confirm[name]["text"] for name in ("title", "text", "confirm", "deny"))
    return f"{title} / {words} ({yes}/{no})"


def _limits(element: dict[str, Any]) -> str:
    told = [f"{name}={element[name]}" for name in ("min_value", "max_value") if name in element]
    told += ["lines"] if element.get("multiline") else []
    return f" {' '.join(told)}" if told else ""


def _start(element: dict[str, Any]) -> str:
    return str(element.get("initial_value", element.get("initial_date", "")))
