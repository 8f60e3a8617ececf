"""The screen of a measurement, drawn from what it tells; `watch` shows it."""
