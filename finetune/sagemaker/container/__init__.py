"""Code that runs in SageMaker's container: the standard library, and medassist's core.

`entry.py` is started as process 1 beside medassist's wheel and imports this package
out of the wheel, before anything is installed.
"""
