"""Data sets in; adapter, figures and report out. Needs torch."""

# The offline guard comes with the first import of the app's package.
import medassist as medassist
