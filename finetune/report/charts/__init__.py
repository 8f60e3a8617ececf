"""Charts as SVG, drawn by small functions of our own.

The page needs no script and no outside resource for them, they print, and they can be
read without colour: every series has a shape or a dash of its own.
"""
