"""Charts: what they show is decided once, and drawn for the page and for the slides.

`axes.py` has the values, ticks and words. `lines.py`, `bars.py` and `intervals.py` draw
them as SVG, which needs no script and no outside resource, and `native.py` as
PowerPoint's own charts, which can be edited. Both print, and can be read without
colour: every series has a shape or a dash of its own.
"""
