"""Puts SVG files into a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from markupsafe import Markup, escape

from backpain.figures.style import STYLE
from backpain.report.parts import slug

# What an SVG file has and a page must not: comments, metadata with outside names, a style sheet for everything.
FOREIGN = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<style[^>]*>.*?</style>", re.S)


def drawer(figures: Mapping[str, str]) -> Callable[[str, str], Markup]:
    """A function that puts a figure into the page, under its title; a figure that was not drawn is refused."""

    def drawing(name: str, title: str) -> Markup:
        if name not in figures:
            raise ValueError(f"report: no figure {name!r}; draw it before the report")
        return embed(figures[name], slug(name), title)

    return drawing


def embed(text: str, identity: str, title: str) -> Markup:
    """An SVG file's text as part of a page: titled, its ids its own, its colours the page's.

    Raises ValueError if the text has no viewBox to be scaled by.
    """
    drawing = FOREIGN.sub("", text[text.index("<svg") :])
    drawing = re.sub(r"<defs>\s*</defs>", "", drawing).replace("xlink:href", "href")
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', drawing))
    drawing = re.sub(
        r' id="([^"]+)"', lambda found: f' id="{identity}-{found[1]}"' if found[1] in used else "", drawing
    )
    drawing = re.sub(r'(url\(#|href="#)', rf"\g<1>{identity}-", drawing)
    for name, colour in STYLE.items():
        drawing = drawing.replace(colour, f"var(--figure-{name}, {colour})")
    frame = re.search(r'viewBox="([^"]+)"', drawing)
    if frame is None:
        raise ValueError(f"figure {identity}: no viewBox; write it with backpain.figures.save")
    opening = (
        f'<svg viewBox="{frame[1]}" role="img" aria-labelledby="{identity}-title">'
        f'<title id="{identity}-title">{escape(title)}</title>'
    )
    return Markup(re.sub(r"<svg[^>]*>", lambda _: opening, drawing, count=1).strip())
