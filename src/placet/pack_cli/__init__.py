"""`placet pack`: write, check, try, read and compare rule packs without a platform.

app.py        the commands
paper.py      lines for people and values for programs
starter.py    a new pack from a template, and the schemas for editors
report.py     what checking, testing and comparing found
page.py       a pack as a page, on a day and in a language
reference.py  what a condition may name, as docs/rules-reference.md has it
"""

from placet.pack_cli.app import pack_app

__all__ = ["pack_app"]
