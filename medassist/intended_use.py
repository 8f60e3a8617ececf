"""The text on intended use, and its version.

The screen shows it before the first question and wants it accepted; `medassist ask`
says it once.
"""

from __future__ import annotations

from typing import Final

INTENDED_USE_VERSION: Final = 5
"""Raised when the text changes in what it asks of the user; it is then shown again."""

INTENDED_USE: Final = """\
medassist is for clinicians. It puts one question to two language models on this \
computer, a base model and one that was tuned for medicine, and shows their answers \
side by side. It is made for comparing and studying such models.

It is not for images or signals: it reads no X-rays, scans, ECGs or other traces. It \
is not for decisions that cannot wait: where minutes count, follow your local protocol \
and call for help, and do not wait for an answer. It is not for patients on their own.

It is not a medical device. The models can be wrong, leave out what matters and \
invent what is not so, and they sound certain while doing it. Do not base a \
diagnosis, a treatment or a dose on what they write. Check every statement against \
a source that you trust, and decide yourself.

Red flags, marked doses and warnings come from fixed rules. They remind, and they \
miss things: that nothing is shown does not mean that nothing is wrong. They read \
English, and German, French and Spanish less well. What is written in any other \
language is not checked; where the program sees that, it says so.

The pair that the program opens with is a demonstration by a small model and not for \
clinical use at all. It writes fluently and sounds sure, and at least one in three of \
its answers is wrong: the easier one is to believe, the more it has to be checked.

Nothing leaves this computer: the program makes no network connection unless you \
tell it to download a model. What you write and what the models answer is gone when \
you quit, unless you save it in your encrypted records or export it.
"""
