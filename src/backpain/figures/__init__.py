"""Figures: they only draw. Each function takes frames and returns a matplotlib figure; `save` writes it as SVG."""

from backpain.figures.diagnostics import love, overlap
from backpain.figures.effects import absolute_risks, detectable, forest, groups
from backpain.figures.evidence import evidence
from backpain.figures.gallery import draw
from backpain.figures.people import flow, missingness, windows
from backpain.figures.style import STYLE, save, svg

__all__ = [
    "STYLE",
    "absolute_risks",
    "detectable",
    "draw",
    "evidence",
    "flow",
    "forest",
    "groups",
    "love",
    "missingness",
    "overlap",
    "save",
    "svg",
    "windows",
]
