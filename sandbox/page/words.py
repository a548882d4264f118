"""Text objects and images, which every kind of block may contain.

Lives here: `words` for `plain_text` and `mrkdwn` objects, `picture` for images. Called by `elements` and `render`.
Nothing is fetched from other hosts: an external image is shown as a frame with its alternative text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sandbox.page.markup import Html, tag
from sandbox.page.mrkdwn import Viewer, mrkdwn, plain
from sandbox.page.own import own

INLINE_PICTURES = ("data:image/png;", "data:image/svg+xml;", "data:image/gif;", "data:image/jpeg;")


def words(item: Mapping[str, Any], viewer: Viewer) -> Html:
    """A text object, in its own format."""
    content = str(item.get("text", ""))
    if item.get("type") == "mrkdwn":
        return mrkdwn(content, viewer)
    return plain(content, with_emoji=item.get("emoji", True))


def picture(item: Mapping[str, Any], kind: str) -> Html:
    """The image of a block, element or accessory."""
    source = str(item.get("image_url", ""))
    described = str(item.get("alt_text", ""))
    if source.startswith(INLINE_PICTURES):
        return tag("img", src=source, alt=described, class_=kind)
    hint = own("Picture from {host}, not fetched", host=urlsplit(source).hostname or own("elsewhere"))
    return tag(
        "span",
        described or own("Picture"),
        class_=f"{kind} picture-frame",
        role="img",
        aria_label=described,
        title=hint,
    )
