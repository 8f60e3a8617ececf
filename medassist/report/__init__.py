"""A report as one page of HTML: what it consists of, its charts, and its look.

Whoever has something to report makes `parts`; `page` lays them out, without a script
and without anything from outside.
"""
