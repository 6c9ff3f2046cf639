"""What a reader sees of a text in HTML or Markdown, each character with the place in the source that it comes from."""

from typing import Final

from placet.screening.hypertext import Hypertext
from placet.screening.markdown import Markdown
from placet.screening.page import Reading

_MARKS: Final = {"html": frozenset("<&\t\n\r\f"), "markdown": frozenset("<&\n`*_~[]\\#>-+=")}
"""Characters without which a text of that form is read as it stands."""


def visible(text: str, form: str) -> Reading | None:
    """What is read of a text whose form is "text", "html" or "markdown"; None where it is read as it stands.

    The reading holds what is shown, what stands beside it (hidden text, the texts of images) and the addresses that
    can be pressed. Any text is answered, in time linear in its length.
    """
    if form not in _MARKS or _MARKS[form].isdisjoint(text):
        return None
    return Hypertext(text).read() if form == "html" else Markdown(text).read()
