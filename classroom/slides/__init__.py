"""Slides for lectures, cut from the chapters: `python -m classroom.slides`.

`decks.toml` lists what is shown, `chapters` reads it from a chapter, `html` draws it.
"""
