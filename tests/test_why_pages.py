"""The pages that show a rule's condition part by part: the item in review, and a text that is tried."""

import re
from collections.abc import Iterator

import httpx
import pytest
from platforms import SOLICITING, Platform

pytest_plugins = ("platforms",)


@pytest.fixture(scope="module")
def browser(platform: Platform) -> Iterator[httpx.Client]:
    """A reviewer at the desk."""
    with platform.desk(platform.person("reviewer", name="Ina")) as client:
        yield client


def trace_in(page: str) -> str:
    """The first trace of a page, as its text."""
    found = re.search(r'<ul class="trace">(.*?)</details>', page, re.DOTALL)
    assert found is not None, page
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def test_an_item_shows_why_its_rules_fired(platform: Platform, browser: httpx.Client) -> None:
    """Under each rule stands its condition, true or false part by part, with what was found of a list."""
    held = platform.submit(SOLICITING)
    page = browser.get(f"/desk/items/{held['id']}").text
    assert trace_in(page).startswith("terms(&#39;solicitation&#39;) true · found: ")


def test_a_tried_text_shows_why_rules_fire(browser: httpx.Client) -> None:
    """The same on the page where texts are tried; what the answer does not depend on is marked."""
    (token,) = set(re.findall(r'name="csrf" value="([^"]+)"', browser.get("/desk/try").text))
    form = {"text": "QQ：1234567", "format": "text", "csrf": token}
    told = trace_in(browser.post("/desk/try", data=form).text)
    assert "terms(&#39;contacts/wechat&#39;) false" in told
    assert "terms(&#39;contacts/qq&#39;) true · found: qq" in told
    assert "terms(&#39;contacts/telegram&#39;) not evaluated" in told
