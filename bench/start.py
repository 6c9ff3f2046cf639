"""How soon does it answer, and how much memory does it take, with a pack of 100,000 terms beside the shipped ones?

From the start of the process to the first 200 of /readyz; the first start and the ones after it, each a new process.
Each start must hold a text with a term of the big list, and approve one without.
"""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from bench.report import Benchmark, Line, Size, check, median
from bench.screening import some_terms, vocabulary
from bench.server import PACKS, Running, client, initialise, open_account, serving

READY_S: Final = 3.0
RSS: Final = 300_000_000
MB: Final = 1_000_000
TERMS: Final[dict[Size, int]] = {"full": 100_000, "quick": 20_000, "tiny": 500}
STARTS: Final[dict[Size, int]] = {"full": 3, "quick": 3, "tiny": 1}

HEAD: Final = """\
id = "big"
version = "1"
timezone = "Asia/Shanghai"
jurisdiction = ""
status = "ready"
title = { en = "Big", zh-Hant = "大", zh-Hans = "大" }
summary = { en = "A pack with very many terms", zh-Hant = "詞很多的規則包", zh-Hans = "词很多的规则包" }

[[instrument]]
id = "BIG"
title = { en = "House rules", zh-Hant = "守則", zh-Hans = "守则" }
issuer = { en = "The platform", zh-Hant = "本平台", zh-Hans = "本平台" }
issued = 2020-01-01
evidence = "HOUSE"

[[instrument.version]]
from = 2020-01-01

[[instrument.clause]]
id = "1"
summary = { en = "Words to look at", zh-Hant = "需要查看的詞", zh-Hans = "需要查看的词" }
"""
GROUNDS: Final = """\
[[ground]]
id = "big.words"
title = { en = "Words", zh-Hant = "用詞", zh-Hans = "用词" }
reason = { en = "A person looks at this", zh-Hant = "由人查看", zh-Hans = "由人查看" }
remedy = { en = "Wait", zh-Hant = "請等候", zh-Hans = "请等候" }
cites = [["BIG", "1"]]
"""
RULES: Final = """\
[[rule]]
id = "words"
on = ["publication"]
when = "terms('big')"
then = "hold"
ground = "big.words"
from = 2020-01-01
"""
LIST: Final = """\
name = "big"
label = "big"
title = { en = "Very many terms", zh-Hant = "很多詞", zh-Hans = "很多词" }
"""


def measure(size: Size) -> Iterator[Line]:
    """Starts, one after another, on one platform."""
    rng = random.Random(100_000)
    terms = some_terms(rng, *vocabulary(rng), TERMS[size])
    times, cpu, memory = [], [], []
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as temporary:
        pack = write_pack(Path(temporary) / "big", terms)
        made = initialise(Path(temporary) / "data", (*PACKS, str(pack)))
        for _ in range(STARTS[size]):
            with serving(Path(temporary) / "data") as running:
                times.append(running.ready_s)
                cpu.append(running.cpu_s())
                memory.append(running.memory())
                check_rules(running, made["api_key"], rng.choice(terms))
    yield from lines(len(terms), times, cpu, memory, judged=size == "full")


def lines(terms: int, times: list[float], cpu: list[float], memory: list[int], *, judged: bool) -> Iterator[Line]:
    """Time and memory."""
    seconds, rss = median(times), median(memory)
    yield Line(
        f"start to /readyz with {terms:,} terms",
        f"{seconds:.2f} s",
        budget=f"<= {READY_S:.0f} s" if judged else "",
        met=seconds <= READY_S if judged else None,
        note=f"each start: {', '.join(f'{each:.2f}' for each in times)} s; processor time {median(cpu):.2f} s",
    )
    yield Line(
        f"RSS when ready, with {terms:,} terms",
        f"{rss / MB:.0f} MB",
        budget=f"< {RSS / MB:.0f} MB" if judged else "",
        met=rss < RSS if judged else None,
    )


def write_pack(folder: Path, terms: list[str]) -> Path:
    """A pack whose one rule holds what has any of the terms."""
    (folder / "lists").mkdir(parents=True)
    listed = LIST + "terms = " + msgspec.json.encode(terms).decode() + "\n"
    for name, text in {"pack": HEAD, "grounds": GROUNDS, "rules": RULES, "lists/big": listed}.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    return folder


def check_rules(running: Running, key: str, term: str) -> None:
    """The big list is in force."""
    account = open_account(running, key)
    with client(running, key) as api:
        for body, status in ((f"Here is {term} among words.", "held"), ("We open at nine on Sundays.", "approved")):
            asked = {"account": account, "title": "Note", "body": body}
            found = api.post("/v1/publications", json=asked).raise_for_status().json()["status"]
            check(found == status, f"{body!r} should be {status} and is {found}.")


BENCHMARK: Final = Benchmark("cold start with a big pack: time and memory", measure)
