"""HTML reports: elements, charts and page layout.

Whoever has something to report makes `parts`; `page` lays them out, without a script
and without anything from outside.
"""
