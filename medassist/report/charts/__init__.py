"""Charts as SVG: no script, no outside resource.

`axes.py` has the values, ticks and words; every other file draws one kind of chart. All
of them print, and can be read without colour: every series has a shape or a dash of its
own.
"""
