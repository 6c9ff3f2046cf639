"""The desk of the packs for tests: what a person does there with a browser that has no JavaScript."""

import html
import re
from typing import Any, Final

import httpx
from platforms import WAIT_S, Person, Platform

RULE: Final = """

[[rule]]
id = "test-quilltern"
on = ["publication"]
when = "item.title.contains('Quilltern')"
then = "hold"
ground = "community.harassment"
from = 2020-01-01
mode = "live"
"""
QUILLTERN: Final[dict[str, Any]] = {"title": "Quilltern", "body": "We open at nine on Sundays."}


class Desk:
    """What a person's browser does without JavaScript."""

    def __init__(self, platform: Platform, person: Person) -> None:
        self.http = httpx.Client(base_url=platform.url, timeout=WAIT_S, follow_redirects=True, verify=False)
        self._origin = {"origin": platform.url}
        token = person.link.rpartition("/")[2]
        self.http.post("/link", data={"token": token}, headers=self._origin).raise_for_status()

    def read(self, path: str) -> str:
        """A page that must be there."""
        response = self.http.get(path)
        assert response.status_code == 200, (response.status_code, response.text[:2_000])
        return response.text

    def post(self, path: str, *, status: int = 200, origin: str = "", **fields: str) -> httpx.Response:
        """Send a form of ours, and give where it leads."""
        sent = {"csrf": self.csrf, **fields}
        headers = {"origin": origin} if origin else self._origin
        response = self.http.post(path, data=sent, headers=headers)
        assert response.status_code == status, (response.status_code, said(response.text))
        return response

    @property
    def csrf(self) -> str:
        """The token of this session's forms."""
        found = re.search(r'name="csrf" content="([^"]+)"', self.read("/me"))
        assert found
        return found[1]

    def begin(self, pack: str = "community") -> str:
        """Begin a version of a pack, and give its path."""
        return self.post("/desk/packs", pack=pack).url.path

    def hidden(self, path: str, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.read(path))
        assert found
        return found[1]

    def text(self, path: str, file: str) -> str:
        """A file as the page has it for editing."""
        found = re.search(
            r"<textarea class=\"code-area\"[^>]*>\n(.*?)</textarea>", self.read(f"{path}?file={file}"), re.DOTALL
        )
        assert found
        return html.unescape(found[1])

    def save(self, path: str, file: str, text: str, *, status: int = 200, **fields: str) -> httpx.Response:
        """Save a file."""
        sent = {"archive": self.hidden(path, "archive"), "file": file, "text": text, **fields}
        return self.post(f"{path}/files", status=status, **sent)

    def add_rule(self, path: str, rule: str = RULE) -> None:
        """Put a rule to the others."""
        self.save(path, "rules.toml", self.text(path, "rules.toml") + rule)


def said(page: str) -> str:
    """A page's words, without what its frame repeats."""
    main = page[page.find("<main") : page.find("</main>")]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", main)))


def status_of(page: str) -> str:
    """The status that a version's page shows."""
    found = re.search(r'class="status pack-(\w+)"', page)
    assert found
    return found[1]
