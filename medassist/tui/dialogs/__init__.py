"""Dialogs: modal screens that ask the user something."""
