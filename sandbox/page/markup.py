"""HTML that is safe by construction.

Lives here: `Html`, a string that is already markup, and `tag`, which escapes everything else. Does not live here: what
the markup means. Called by every module of the page; no other module writes an angle bracket.
"""

from __future__ import annotations

from html import escape

VOID_TAGS = frozenset({"input", "br", "hr", "img", "meta", "link", "use", "path", "circle"})


class Html(str):
    """Markup built by `tag` or `join`; plain strings are escaped when combined with it."""

    __slots__ = ()


def text(value: object) -> Html:
    """`value` as text, never as markup."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def join(*parts: object, between: str = "") -> Html:
    """All `parts` that are neither None nor empty, concatenated."""
    return Html(str(text(between)).join(text(part) for part in parts if part is not None and part != ""))


def tag(tag_name: str, *children: object, **attributes: object) -> Html:
    """One element. `class_` becomes `class`, `data_key` becomes `data-key`; None and False omit an attribute."""
    head = tag_name + "".join(_attribute(key, value) for key, value in attributes.items())
    if tag_name in VOID_TAGS:
        return Html(f"<{head}>")
    return Html(f"<{head}>{join(*children)}</{tag_name}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def icon(name: str, label: str = "") -> Html:
    """One of the page's own icons; without a label, screen readers skip it."""
    described: dict[str, object] = {"role": "img", "aria_label": label} if label else {"aria_hidden": "true"}
    use = tag("use", href=f"/static/icons.svg#{name}")
    return tag("svg", use, class_="icon", viewBox="0 0 20 20", **described)
