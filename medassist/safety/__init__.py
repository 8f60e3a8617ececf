"""Safety rules before and after the models: data files, and what reads them.

Nothing here imports anything of the house, and nothing here can be switched off by
what a model writes.
"""
