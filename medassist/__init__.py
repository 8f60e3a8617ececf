"""A base and a tuned medical language model side by side, in a terminal, offline."""

from medassist.core import guard, quiet

__version__ = "0.1.0"

guard.install()
quiet.be_quiet()
