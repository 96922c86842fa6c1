"""Figures: they only draw. Each takes frames and returns a matplotlib figure; `style.save` writes it as SVG.

Each room has a `draw(results, facts)` that returns all its figures of a run by the name the report looks for. Nothing is
imported here, so that editing one room's code makes only its own figures again.
"""
