"""Texts of the screens, one module each, so that they can be translated.

A name in braces, `{verdict}`, is that of a command in the table of keys; `Keymap.name`
puts its key there, as the user has it. Where a sentence holds values it is a function.
What the commands are called stands in `medassist.tui.keys`.
"""
