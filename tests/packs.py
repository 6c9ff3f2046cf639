"""A small, sound pack for tests to bend, and what tests say of rules in a few words."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from hypothesis import settings

from placet.policy.evaluate import Policy
from placet.policy.pack import load_pack
from placet.policy.values import Pack, Problem

steady: Final = settings(deadline=None)
"""Property tests that build policies take as long as the machine needs."""


def text(words: str) -> str:
    """One sentence in three languages, as an inline table."""
    return f'{{ en = "{words}", zh-Hant = "{words}（繁）", zh-Hans = "{words}（简）" }}'


HEAD: Final = f"""\
id = "sample"
version = "1"
timezone = "Asia/Shanghai"
jurisdiction = ""
status = "ready"
title = {text("Sample")}
summary = {text("A sample pack")}

[[instrument]]
id = "LAW"
title = {text("A law")}
issuer = {text("An issuer")}
issued = 2020-01-01
evidence = "TEXT"

[[instrument.version]]
from = 2020-01-01

[[instrument.clause]]
id = "1"
summary = {text("Be kind")}

[[clock]]
id = "hold.max"
title = {text("Longest hold")}
duration = "PT72H"
basis = "product-policy"

[[category]]
id = "news"
title = {text("News")}

[[class]]
id = "individual"
title = {text("Individual")}

[[right]]
category = "news"
action = "publish"
any_of = ["news.publish"]
ground = "sample.form"
from = 2020-01-01
"""

GROUNDS: Final = f"""\
[[ground]]
id = "sample.form"
title = {text("Form")}
reason = {text("The form is wrong")}
remedy = {text("Put it right")}
cites = [["LAW", "1"]]
automatic = true

[[ground]]
id = "sample.words"
title = {text("Words")}
reason = {text("The words may hurt")}
remedy = {text("Explain them")}
cites = [["LAW", "1"]]
"""

RULES: Final = """\
[[rule]]
id = "blank"
on = ["publication"]
when = "item.blank"
then = "return"
ground = "sample.form"
from = 2020-01-01
"""

WORDS: Final = f"""\
name = "rude"
label = "rude"
title = {text("Rude words")}
terms = ["花言巧语", "humbug"]
exceptions = ["no humbug"]
"""

CASES: Final = """\
[[case]]
name = "Nothing comes back"
at = 2024-01-01T00:00:00+08:00
expect = "return"
grounds = ["sample.form"]
"""

FILES: Final[Mapping[str, str]] = {
    "pack.toml": HEAD,
    "grounds.toml": GROUNDS,
    "rules.toml": RULES,
    "lists/rude.toml": WORDS,
    "cases/form.toml": CASES,
}

SERVED: Final[Mapping[str, str]] = {
    **FILES,
    "pack.toml": FILES["pack.toml"]
    + f'\n[[category]]\nid = "general"\ntitle = {text("General")}\n'
    + "".join(
        f'\n[[clock]]\nid = "{name}"\ntitle = {text(name)}\nduration = "PT1H"\nbasis = "product-policy"\n'
        for name in ("hold.escalated", "claim")
    ),
}
"""The sample pack, with what a platform needs besides rules."""


def rule(name: str, when: str, then: str = "hold", ground: str = "sample.words", more: str = "") -> str:
    """One rule of rules.toml, in force from 2020 on unless `more` says otherwise."""
    since = "" if "from =" in more else "from = 2020-01-01"
    return f"""
[[rule]]
id = "{name}"
on = ["publication"]
when = '''{when}'''
then = "{then}"
ground = "{ground}"
{since}
{more}
"""


def bend(file: str, old: str, new: str) -> dict[str, str]:
    """Give the sample's files with one passage replaced, which must be there."""
    assert old in FILES[file], f"{old!r} does not stand in {file}"
    return {**FILES, file: FILES[file].replace(old, new, 1)}


def problems(files: Mapping[str, str]) -> tuple[Problem, ...]:
    """What is wrong with a pack of these files; something must be."""
    result = load_pack(files)
    assert result.pack is None
    assert result.problems
    return result.problems


def only(files: Mapping[str, str]) -> Problem:
    """The one thing that is wrong with a pack of these files."""
    found = problems(files)
    assert len(found) == 1, [str(problem) for problem in found]
    return found[0]


def pack_of(rules: str, name: str = "sample", **files: str) -> Pack:
    """The sample with other rules and no cases; its grounds and instrument carry its name, so that packs can meet."""
    changed = {**FILES, **files, "rules.toml": rules}
    del changed["cases/form.toml"]
    renamed = {file: body.replace("sample", name).replace("LAW", f"{name}-LAW") for file, body in changed.items()}
    return load_pack(renamed).require()


@cache
def policy_of(rules: str) -> Policy:
    """A policy of one pack with these rules."""
    return Policy([pack_of(rules)])
