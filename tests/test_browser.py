"""The desk in a real Chromium, against a real platform: a publication's whole way, keys, passkeys, access for all."""

import os
import re
import shutil
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from packs_desk import QUILLTERN, RULE, Desk
from platforms import SOLICITING, NewPlatform, Platform, until
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

pytest_plugins = ("platforms",)
pytestmark = pytest.mark.xdist_group("browser")

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LANGUAGES: Final = ("en", "zh-Hant", "zh-Hans")
WIDE: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 360, "height": 780}
SCRIPT: Final = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium from the system; without it these tests are skipped on a user's machine, and fail in CI."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed, and CI leaves nothing out")
        pytest.skip("Chromium is not installed: the browser tests are left out")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield running
        running.close()


@pytest.fixture(scope="module")
def desk_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform with a queue: reached as localhost, since passkeys are bound to a name."""
    made = Platform(tmp_path_factory.mktemp("desk") / "data")
    made.start()
    try:
        for number in range(3):
            made.submit_as("held", title=f"Held {number}")
        made.submit(SOLICITING, title=SCRIPT, body=SCRIPT + " Add me on Telegram " + SCRIPT)
        yield made
    finally:
        made.stop()


def base(platform: Platform) -> str:
    """The address that browsers use."""
    return f"http://localhost:{platform.port}"


def sign_in(context: BrowserContext, platform: Platform, *roles: str, name: str) -> Page:
    """Sign a new person in by their link, and give the page."""
    person = platform.person(*roles, name=name)
    page = context.new_page()
    page.goto(base(platform) + person.link)
    page.get_by_role("main").get_by_role("button").click()
    page.wait_for_url(re.compile("/me"))
    return page


@pytest.fixture
def wide(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile on a desktop."""
    context = browser.new_context(viewport=WIDE, locale="en-GB")  # type: ignore[arg-type]
    yield context
    context.close()


def test_a_publication_goes_its_whole_way_by_keyboard(wide: BrowserContext, new_platform: NewPlatform) -> None:
    """Submitted by API, held, decided by keyboard after signing in with a passkey, released, and proved."""
    platform = new_platform()
    held = platform.submit_as("held", title="Spring tea")
    page = sign_in(wide, platform, "lead", name="Wren")
    add_authenticator(wide, page)
    page.locator("[data-passkey=create]").click()
    page.wait_for_url(re.compile("passkey_added"))
    page.locator("details.person summary").click()
    page.locator("form[action='/sign-out'] button").click()
    page.wait_for_url(re.compile(r"/\?done=signed_out|/$"))

    page.goto(base(platform) + "/sign-in")
    page.locator("[data-passkey=get]").click()
    page.wait_for_url(re.compile("/desk"))
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(held["id"]))
    expect(page.locator("mark").first).to_contain_text("Telegram")
    page.keyboard.press("c")
    page.wait_for_url(re.compile("done=claimed"))
    page.keyboard.press("a")
    page.keyboard.press("a")
    page.wait_for_url(re.compile("done=approved"))
    assert platform.read(held["id"])["status"] == "approved"

    page.goto(f"{base(platform)}/desk/items/{held['id']}")
    page.locator("form[action$='/release'] button").click()
    page.wait_for_url(re.compile("done=released"))
    assert platform.read(held["id"])["status"] == "released"
    history = [entry["kind"] for entry in platform.entries(held["id"])]
    assert history == [
        "publication.submitted",
        "publication.claimed",
        "publication.approved",
        "publication.released",
    ]
    prove_last_entry(page, platform)
    assert platform.cli("ledger", "verify").returncode == 0


def add_authenticator(context: BrowserContext, page: Page) -> None:
    """A passkey device that says yes, as Chromium's own tests use it."""
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def prove_last_entry(page: Page, platform: Platform) -> None:
    """Follow the newest entry that a head covers to its proof."""
    page.goto(base(platform) + "/desk/ledger")
    expect(page.locator(".ledger-seq a").first).to_be_visible()
    page.locator(".ledger-seq a").first.click()
    page.wait_for_url(re.compile(r"/desk/ledger/\d+"))
    expect(page.locator("main")).to_contain_text("SHA-256")


def test_a_refusal_keeps_what_was_typed(wide: BrowserContext, desk_platform: Platform) -> None:
    """A decision on a version that has changed meanwhile is refused in words, and the reasons typed are still there."""
    held = desk_platform.submit_as("held", title="Read by two")
    page = sign_in(wide, desk_platform, "reviewer", name="Typist")
    page.goto(f"{base(desk_platform)}/desk/items/{held['id']}")
    page.keyboard.press("x")
    form = page.locator("#decide-refuse")
    form.locator("select[name=ground]").select_option(index=1)
    form.locator("textarea[name=facts]").fill("It names another service.")
    form.locator("textarea[name=reason]").fill("That leads readers away.")
    desk_platform.staff("lead").post(f"/v1/publications/{held['id']}/claim").raise_for_status()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#decide")).to_contain_text("It names another service.")
    expect(page.locator("#decide-refuse")).to_have_count(0)
    assert desk_platform.read(held["id"])["status"] == "held"


def test_everything_works_without_a_script(browser: Browser, desk_platform: Platform) -> None:
    """A reviewer without JavaScript signs in by link, filters, returns an item with what to change."""
    held = desk_platform.submit_as("held", title="No script")
    context = browser.new_context(viewport=WIDE, java_script_enabled=False)  # type: ignore[arg-type]
    page = sign_in(context, desk_platform, "reviewer", name="Plain")
    page.goto(base(desk_platform) + "/desk?show=unclaimed")
    page.get_by_role("link", name="No script").click()
    page.locator("#decide-return summary").click()
    page.locator("#decide-return textarea[name=changes]").fill("Leave the handle out.")
    page.locator("#decide-return button[name=choice]").click()
    page.wait_for_url(re.compile("done=returned"))
    assert desk_platform.read(held["id"])["status"] == "returned"
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "phone"])
def test_pages_are_accessible_in_every_language(
    browser: Browser, desk_platform: Platform, scheme: str, size: str
) -> None:
    """axe-core finds nothing on any page, in three languages, two schemes, two sizes, and nothing scrolls sideways."""
    context = browser.new_context(
        viewport=WIDE if size == "wide" else PHONE,  # type: ignore[arg-type]
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = sign_in(context, desk_platform, "admin", "lead", "policy_editor", name=f"Eyes {scheme} {size}")
    console: list[str] = []
    page.on("console", lambda message: console.append(message.text) if message.type == "error" else None)
    problems: list[str] = []
    for number, path in enumerate(paths(desk_platform)):
        language = LANGUAGES[number % 3]
        page.goto(f"{base(desk_platform)}{path}{'&' if '?' in path else '?'}lang={language}")
        assert page.locator("html").get_attribute("lang") == language
        problems += [f"{path}: {each}" for each in violations(page)]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            problems.append(f"{path}: scrolls sideways")
    assert problems == []
    assert [text for text in console if "404" not in text] == []  # /nowhere is meant to be missing
    context.close()


def paths(platform: Platform) -> list[str]:
    """Every page, those about one thing with a thing that exists."""
    held = platform.http.get("/v1/publications?status=held&limit=1").json()["items"][0]["id"]
    pages = ["/", "/rules", "/api", "/me", "/desk", f"/desk/items/{held}", "/desk/accounts", "/desk/ledger"]
    pages += [
        f"/desk/accounts/{platform.account}",
        "/desk/ledger/0",
        "/desk/try",
        "/desk/packs",
        "/desk/rules",
        _version(platform),
        "/rules?on=2100-01-01",
        "/rules?on=1999-01-01",
        "/desk/lists",
        "/desk/lists/community/gambling",
        "/desk/staff",
        "/desk/keys",
        "/desk/webhooks",
    ]
    return [*pages, "/desk?show=overdue", "/nowhere", f"/desk/items/{held}?again=1", "/desk/staff?again=1"]


def _version(platform: Platform) -> str:
    """The page of a version of a pack with a mistake in it."""
    desk = Desk(platform, platform.person("policy_editor", name=f"Eddy {platform.recorded()}"))
    path = desk.begin()
    desk.save(path, "rules.toml", desk.text(path, "rules.toml") + "when = ")
    return path


def violations(page: Page) -> list[str]:
    """What axe-core objects to, for WCAG 2.2 A and AA."""
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found: dict[str, Any] = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}}).response
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found["violations"]]


def test_what_authors_write_is_inert(wide: BrowserContext, desk_platform: Platform) -> None:
    """Markup and scripts in a title and a body are shown as text, and nothing of them runs."""
    page = sign_in(wide, desk_platform, "lead", name="Guard")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(base(desk_platform) + "/desk")
    page.get_by_role("link", name="document.title").first.click()
    page.wait_for_url(re.compile("/desk/items/"))
    expect(page.locator("main")).to_contain_text("<script>")
    assert "taken" not in page.title().replace(SCRIPT, "")
    assert page.locator("main script, main img[src=x]").count() == 0
    assert errors == []


def test_disguises_show(wide: BrowserContext, desk_platform: Platform) -> None:
    """Characters without a shape, and those that turn the text around, are named where a reviewer reads."""
    held = desk_platform.submit_as("held", title="Pic \u202egnp.exe", body="Add me on Tele\u200bgram, or on Telegram.")
    page = sign_in(wide, desk_platform, "reviewer", name="Keen")
    page.goto(f"{base(desk_platform)}/desk/items/{held['id']}")
    expect(page.locator("main h1")).to_contain_text("U+202E")
    expect(page.locator("main mark .unseen")).to_have_text("U+200B")


def test_a_text_is_tried_without_being_recorded(wide: BrowserContext, desk_platform: Platform) -> None:
    """A reviewer types a text and sees the verdict, each finding with its place, and how the text is read."""
    page = sign_in(wide, desk_platform, "reviewer", name="Tern")
    before = desk_platform.recorded()
    page.goto(base(desk_platform) + "/desk/try")
    page.get_by_label("Text", exact=True).fill("Hello. Add me on Telegram today; 请加微信")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".findings")).to_contain_text("characters 7 to 25")
    expect(page.get_by_role("heading", name="Verdict")).to_be_visible()
    expect(page.locator("mark").first).to_contain_text("Add me on Telegram")
    expect(page.get_by_text("|请|加微信")).to_be_visible()
    page.get_by_label("Text", exact=True).fill("   ")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("alert")).to_contain_text("Type a text first.")
    assert desk_platform.recorded() == before


def test_a_list_is_changed_without_a_script(browser: Browser, new_platform: NewPlatform) -> None:
    """An editor without JavaScript adds a term, is told what is wrong with another, finds the first and removes it."""
    platform = new_platform()
    content = {"title": "Notes", "body": "The quilltern special is here."}
    context = browser.new_context(viewport=WIDE, java_script_enabled=False)  # type: ignore[arg-type]
    page = sign_in(context, platform, "policy_editor", name="Edith")
    page.goto(base(platform) + "/desk/lists")
    page.locator("a[href='/desk/lists/community/gambling']").click()
    page.get_by_label("Terms, one a line").fill("quilltern special\n138 0013 8000")
    page.locator("#reason").fill("A wave since Monday.")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".errors")).to_contain_text("somebody's number")
    assert platform.submit(content)["status"] == "approved"
    page.get_by_label("Terms, one a line").fill("quilltern special\n" + "x" * 200)
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_url(re.compile("done=list_changed"))
    assert platform.submit(content)["status"] == "held"
    row = page.locator(".list-row", has_text="quilltern special")
    expect(row).to_contain_text("provisional")
    expect(row).to_contain_text("Edith")
    sizes = {
        (box["width"], box["height"]) for each in page.locator(".list-row .chip").all() if (box := each.bounding_box())
    }
    assert len(sizes) == 1, "a long term squeezes its mark"
    expect(page.locator(".timeline")).to_contain_text("A wave since Monday.")
    row.get_by_role("checkbox").check()
    page.locator("#remove-reason").fill("A tea.")
    page.get_by_role("button", name="Remove or put back").click()
    page.wait_for_url(re.compile("done=list_changed"))
    assert platform.submit(content)["status"] == "approved"
    context.close()


def test_a_link_is_spent_by_its_use_only(wide: BrowserContext, desk_platform: Platform) -> None:
    """Looking at a link does not spend it; using it does, once."""
    person = desk_platform.person("auditor", name="Once")
    page = wide.new_page()
    for _ in range(2):
        page.goto(base(desk_platform) + person.link)
        expect(page.locator("main")).to_contain_text("Once")
    page.get_by_role("main").get_by_role("button").click()
    page.wait_for_url(re.compile("/me"))
    answer = page.goto(base(desk_platform) + person.link)
    assert answer is not None
    assert answer.status == 410


def test_a_pack_is_changed_by_two_people(browser: Browser, new_platform: NewPlatform) -> None:
    """An editor types, is shown a mistake, mends and proposes; another person approves; it is in force and shown so."""
    platform = new_platform(packs=("community",))
    two = [browser.new_context(viewport=WIDE, locale="en-GB") for _ in range(2)]  # type: ignore[arg-type]
    edith = sign_in(two[0], platform, "policy_editor", name="Edith")
    edith.goto(base(platform) + "/desk/packs")
    edith.get_by_role("button", name="New version of Community rules").click()
    edith.wait_for_url(re.compile("done=pack_opened"))
    version = edith.url.split("?")[0]
    area = edith.get_by_label("rules.toml")
    rules = area.input_value()
    area.fill(rules + RULE.replace("item.title", "item.titel"))
    expect(edith.locator("[data-said]")).to_have_text("Mistakes: 1")
    edith.locator("[data-mistakes]").get_by_role("link").click()
    assert edith.evaluate("getSelection().toString()").startswith('when = "item.titel')
    area.fill(rules + RULE)
    expect(edith.locator("[data-said]")).to_contain_text("No mistakes")
    assert edith.locator("[data-mistakes] li").count() == 0
    edith.get_by_role("button", name="Save and check").last.click()
    edith.wait_for_url(re.compile("done=pack_saved"))
    edith.locator("#propose-reason").fill("Terns repeat themselves.")
    edith.get_by_role("button", name="Propose", exact=True).click()
    edith.wait_for_url(re.compile("done=pack_proposed"))
    assert platform.submit(QUILLTERN)["status"] == "approved"

    apollo = sign_in(two[1], platform, "policy_approver", name="Apollo")
    apollo.goto(version)
    expect(apollo.locator(".changes")).to_contain_text("test-quilltern")
    apollo.get_by_role("button", name="Approve", exact=True).click()
    apollo.wait_for_url(re.compile("done=pack_approved"))
    until(lambda: platform.submit(QUILLTERN)["status"] == "held", "the version is in force")
    apollo.goto(base(platform) + "/desk/packs")
    in_force = apollo.get_by_role("region", name="In force")
    expect(in_force.get_by_role("link", name="Community rules")).to_have_attribute("href", httpx.URL(version).path)
    for context in two:
        context.close()
