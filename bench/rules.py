"""How many events a second do rules judge, against plain `re` and other rule engines?

An event is a short text with two numbers: how many media it has, and how many publications of its account were
refused. Each rule asks whether a pattern stands in the text, and for bounds on both numbers. All ways are given the
same events and rules, and must give the same hits. Ours starts where the service does: an item and what is known of its
account. Screening (for links and contacts as well), facts and verdict are all counted; so is, beside it, the evaluation
alone, and all of it with texts screened together. What is not installed is said to be so.

The second question is about rules that ask for facts alone, against lambdas that a person would write for them.
"""

import importlib
import operator
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from bench.content import WORDS
from bench.report import Benchmark, Line, Size, check, median, per_second
from placet.model import Item, Medium
from placet.policy import AccountFacts, AccountPast, Pack, Policy
from placet.policy.cel import compile_rule
from placet.policy.environment import ENVIRONMENT
from placet.policy.pack import load_pack
from placet.screening import screen, screen_batch

COUNTS: Final = (3, 10, 50, 200, 2_000)
BUDGETS: Final[Mapping[int, int]] = {200: 20_000, 2_000: 5_000}
FACT_RULES: Final = 20
FACT_RATIO: Final = 0.5
"""Of the speed of the lambdas: at most twice their time."""
AT: Final = 1_704_067_200_000_000
_SLOW_EVENTS: Final = 20_000
"""Rules times events that are asked of the ways that go from rule to rule."""


class Plan(NamedTuple):
    """How many events, how often, and of how many rules at most."""

    events: int
    rounds: int
    most_rules: int


PLANS: Final[dict[Size, Plan]] = {
    "full": Plan(2_000, 7, 2_000),
    "quick": Plan(500, 3, 2_000),
    "tiny": Plan(60, 1, 50),
}


class Event(NamedTuple):
    """A text of 50 to 200 characters, and two numbers."""

    text: str
    media: int
    refused: int


class Asked(NamedTuple):
    """A rule: a pattern, a least number and a most of the counter."""

    regex: str
    media: int
    refused: int


Hits = list[list[int]]
"""By event, the numbers of the rules that are true, ascending."""
Way = Callable[[], Hits]


def some_rules(rng: random.Random, count: int) -> list[Asked]:
    """Rules with a pattern of their own each; one event in three satisfies the numbers."""
    shapes = (
        lambda n: rf"(?i)\boffer[- ]?{n}\b",
        lambda n: rf"no\.? ?{n}[:#]\s?\d{{3,9}}",
        lambda n: rf"{rng.choice(WORDS)} code{n}[a-z]+\d*",
        lambda n: rf"v{n}x\w{{2,8}}(?:now|today)",
    )
    return [Asked(shapes[n % len(shapes)](n), rng.randint(0, 2), rng.randint(1, 4)) for n in range(count)]


def some_events(rng: random.Random, count: int, rules: int) -> list[Event]:
    """Events; in one of five a rule's pattern is planted."""
    return [_event(rng, number % 5 == 0, rules) for number in range(count)]


def _event(rng: random.Random, planted: bool, rules: int) -> Event:
    words = rng.choices(WORDS, k=rng.randint(14, 34))
    if planted:
        n = rng.randrange(rules)
        texts = (f"Offer-{n}", f"no.{n}: 12345", f"{rng.choice(WORDS)} code{n}abc7", f"v{n}xyztoday")
        words.insert(rng.randrange(len(words)), texts[n % len(texts)])
    text = " ".join(words)[:200].ljust(50, ".")
    return Event(text, rng.randint(0, 4), rng.randint(0, 5))


# --- ours --------------------------------------------------------------------------------------------------------

_TEXT: Final = '{ en = "Bench", zh-Hant = "測試", zh-Hans = "测试" }'
_HEAD: Final = f"""
id = "bench"
version = "1"
timezone = "UTC"
jurisdiction = ""
status = "ready"
title = {_TEXT}
summary = {_TEXT}
[[instrument]]
id = "BENCH"
title = {_TEXT}
issuer = {_TEXT}
issued = 2020-01-01
evidence = "HOUSE"
[[instrument.version]]
from = 2020-01-01
[[instrument.clause]]
id = "1"
summary = {_TEXT}
"""
_GROUNDS: Final = f"""
[[ground]]
id = "bench.any"
title = {_TEXT}
reason = {_TEXT}
remedy = {_TEXT}
cites = [["BENCH", "1"]]
"""


def pack_of(conditions: Sequence[str]) -> Pack:
    """A pack whose rules have these conditions, named r0, r1, …"""
    rules = "".join(
        f"[[rule]]\nid = \"r{n}\"\non = [\"publication\"]\nwhen = '''{when}'''\n"
        'then = "hold"\nground = "bench.any"\nfrom = 2020-01-01\n'
        for n, when in enumerate(conditions)
    )
    return load_pack({"pack.toml": _HEAD, "grounds.toml": _GROUNDS, "rules.toml": rules}).require()


def condition(rule: Asked) -> str:
    """A rule as a pack writer would write it."""
    return (
        f"item.body.matches(r'{rule.regex}') && size(item.media) >= {rule.media} "
        f"&& account.past.refused <= {rule.refused}"
    )


def numbers(hits: Sequence[Any]) -> list[int]:
    """The numbers of the rules that fired."""
    return sorted(int(hit.rule[1:]) for hit in hits)


class Ours:
    """The rules in force, and the events as a platform sends them."""

    def __init__(self, rules: Sequence[Asked], events: Sequence[Event]) -> None:
        self.policy = Policy([pack_of([condition(rule) for rule in rules])])
        medium = Medium("https://example.com/a.jpg")
        self.items = [Item(body=event.text, media=(medium,) * event.media) for event in events]
        self.accounts = [AccountFacts("acc_1", past=AccountPast(refused=event.refused)) for event in events]
        self.facts = [self.policy.facts(i, a, AT) for i, a in zip(self.items, self.accounts, strict=True)]
        self.findings = screen_batch(self.items, self.policy.lexicon)

    def whole(self) -> Hits:
        """Each event by itself: screened, its facts gathered, judged."""
        policy, lexicon = self.policy, self.policy.lexicon
        return [
            numbers(policy.evaluate(policy.facts(item, account, AT), screen(item, lexicon), "pub_1").hits)
            for item, account in zip(self.items, self.accounts, strict=True)
        ]

    def batch(self) -> Hits:
        """The same, screened together."""
        policy = self.policy
        found = screen_batch(self.items, policy.lexicon)
        return [
            numbers(policy.evaluate(policy.facts(item, account, AT), own, "pub_1").hits)
            for item, account, own in zip(self.items, self.accounts, found, strict=True)
        ]

    def evaluation(self) -> Hits:
        """Facts and findings are there: only the rules."""
        evaluate = self.policy.evaluate
        return [numbers(evaluate(f, own, "pub_1").hits) for f, own in zip(self.facts, self.findings, strict=True)]


# --- other ways --------------------------------------------------------------------------------------------------


def plain_re(rules: Sequence[Asked], events: Sequence[Event]) -> Way:
    """What one writes without a rule engine: the cheap comparisons first, then Python's re."""
    made = [(n, re.compile(rule.regex, re.ASCII).search, rule.media, rule.refused) for n, rule in enumerate(rules)]

    def work() -> Hits:
        return [
            [n for n, search, least, most in made if media >= least and refused <= most and search(text)]
            for text, media, refused in events
        ]

    return work


def rule_engine(rules: Sequence[Asked], events: Sequence[Event]) -> Way:
    """The package rule-engine, whose =~~ searches with Python's re."""
    engine: Any = importlib.import_module("rule_engine")
    made = [
        engine.Rule(f'media >= {rule.media} and refused <= {rule.refused} and text =~~ "{_escaped(rule.regex)}"')
        for rule in rules
    ]
    given = [event._asdict() for event in events]
    return lambda: [[n for n, rule in enumerate(made) if rule.matches(event)] for event in given]


def cel_expr_python(rules: Sequence[Asked], events: Sequence[Event]) -> Way:
    """Google's binding of the implementation in C++."""
    cel: Any = importlib.import_module("cel_expr_python.cel")
    variables = {"text": cel.Type.STRING, "media": cel.Type.INT, "refused": cel.Type.INT}
    environment = cel.NewEnv(variables=variables)
    made = [
        environment.compile(f"media >= {rule.media} && refused <= {rule.refused} && text.matches(r'{rule.regex}')")
        for rule in rules
    ]
    given = [event._asdict() for event in events]
    return lambda: [[n for n, rule in enumerate(made) if rule.eval(data=event).value()] for event in given]


def _escaped(regex: str) -> str:
    return regex.replace("\\", "\\\\")


PEERS: Final[Mapping[str, Callable[[Sequence[Asked], Sequence[Event]], Way]]] = {
    "plain re": plain_re,
    "rule-engine": rule_engine,
    "cel-expr-python": cel_expr_python,
}


# --- measuring ---------------------------------------------------------------------------------------------------


def measure(size: Size) -> Iterator[Line]:
    """Rules with patterns, by their number; then rules over facts."""
    plan = PLANS[size]
    for count in COUNTS:
        if count <= plan.most_rules:
            yield from with_patterns(count, plan, judged=size == "full")
    yield Line("AbuseFilter", "not installed", note="It is an extension of MediaWiki, in PHP; nothing here runs it.")
    yield from over_facts(plan, judged=size == "full")


def with_patterns(count: int, plan: Plan, *, judged: bool) -> Iterator[Line]:
    """One number of rules, all ways."""
    rng = random.Random(count)
    rules = some_rules(rng, count)
    events = some_events(rng, plan.events, count)
    few = events[: max(20, min(plan.events, _SLOW_EVENTS // count))]
    ours = Ours(rules, events)
    expected = plain_re(rules, events)()
    check(any(expected), "No rule fires at all.")
    floor = rate(plain_re(rules, few), len(few), plan.rounds)
    ways = {"one at a time": ours.whole, "in batch": ours.batch, "rules alone": ours.evaluation}
    for name, way in ways.items():
        check(way() == expected, f"{count} rules, {name}: other hits than with plain re.")
        yield _line(f"{count:,} rules, {name}", rate(way, len(events), plan.rounds), floor, BUDGETS.get(count), judged)
    for name in list(PEERS)[1:]:
        try:
            other = PEERS[name](rules, few)
        except ImportError:
            yield Line(f"{count:,} rules, {name}", "not installed")
            continue
        check(other() == expected[: len(few)], f"{count} rules, {name}: other hits than with plain re.")
        yield _line(f"{count:,} rules, {name}", rate(other, len(few), 1), floor, None, judged)


def _line(question: str, found: float, floor: float, budget: int | None, judged: bool) -> Line:
    least = budget if judged else None
    return Line(
        question,
        per_second(found),
        floor=per_second(floor),
        ratio=found / floor,
        budget="" if least is None else f">= {least:,}/s",
        met=None if least is None else found >= least,
    )


def rate(work: Callable[[], object], count: int, rounds: int) -> float:
    """Events a second of processor time: the median of some rounds."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return count / median(taken)


# --- facts -------------------------------------------------------------------------------------------------------

_CATEGORIES: Final = ("general", "news", "health", "finance", "sport")
_CLASSES: Final = ("individual", "enterprise", "public_body", "news_org")


FactRule = tuple[str, Callable[[Any], bool]]
"""A condition, and what a person would write for it in Python."""


def fact_rules(rng: random.Random) -> list[FactRule]:
    """Rules of four shapes."""
    shapes = (_needs_right, _often_refused, _undescribed, _unsourced)
    return [
        shapes[n % len(shapes)](rng.choice(_CATEGORIES), rng.choice(_CLASSES), rng.randint(0, 4))
        for n in range(FACT_RULES)
    ]


def _needs_right(category: str, _kind: str, _most: int) -> FactRule:
    right = f"{category}.publish"
    when = f"item.category == '{category}' && item.origin == 'repost' && !account.rights.exists(r, r == '{right}')"
    return (
        when,
        lambda f: (
            f["item"]["category"] == category
            and f["item"]["origin"] == "repost"
            and right not in f["account"]["rights"]
        ),
    )


def _often_refused(_category: str, kind: str, most: int) -> FactRule:
    when = f"account.class != '{kind}' && account.past.refused > {most} && account.past.last_day > {most}"
    return (
        when,
        lambda f: (
            f["account"]["class"] != kind
            and f["account"]["past"]["refused"] > most
            and f["account"]["past"]["last_day"] > most
        ),
    )


def _undescribed(_category: str, _kind: str, most: int) -> FactRule:
    when = f"size(item.media) > {most} && item.media.exists(m, m.alt == '')"
    return when, lambda f: len(f["item"]["media"]) > most and any(m["alt"] == "" for m in f["item"]["media"])


def _unsourced(category: str, kind: str, _most: int) -> FactRule:
    named = "item.source.name == '' || item.source.url == ''"
    when = f"item.category == '{category}' && account.class in ['{kind}', 'other'] && ({named})"
    return (
        when,
        lambda f: (
            f["item"]["category"] == category
            and f["account"]["class"] in (kind, "other")
            and (f["item"]["source"]["name"] == "" or f["item"]["source"]["url"] == "")
        ),
    )


def over_facts(plan: Plan, *, judged: bool) -> Iterator[Line]:
    """Twenty rules that read no text, against a loop over lambdas."""
    rng = random.Random(20)
    rules = fact_rules(rng)
    policy = Policy([pack_of([when for when, _ in rules])])
    facts = [policy.facts(*_act(rng), AT) for _ in range(plan.events)]
    lambdas = [(n, rule) for n, (_, rule) in enumerate(rules)]
    programs = [(n, compile_rule(when, ENVIRONMENT).run) for n, (when, _) in enumerate(rules)]

    def by_hand() -> Hits:
        return [[n for n, rule in lambdas if rule(own)] for own in facts]

    def compiled() -> Hits:
        nothing: Any = None  # no rule asks the text
        return [[n for n, run in programs if run(own, nothing)] for own in facts]

    def whole() -> Hits:
        evaluate = policy.evaluate
        return [numbers(evaluate(own, (), "pub_1").hits) for own in facts]

    expected = by_hand()
    check(any(expected), "No rule fires at all.")
    check(compiled() == expected, "Compiled rules come to something else than the lambdas.")
    check(whole() == expected, "The policy comes to something else than the lambdas.")
    ways: dict[str, Callable[[], object]] = {
        "conditions alone": compiled,
        "the whole verdict": partial(_verdicts, policy, facts),
    }
    times: dict[str, list[float]] = {name: [] for name in ("", *ways)}
    for _ in range(max(3, plan.rounds)):
        for name, way in {"": by_hand, **ways}.items():
            times[name].append(rate(way, len(facts), 1))
    floor = median(times[""])
    for name in ways:
        ratio = median(list(map(operator.truediv, times[name], times[""])))
        yield Line(
            f"{FACT_RULES} rules over facts, {name}",
            per_second(median(times[name])),
            floor=per_second(floor),
            ratio=ratio,
            budget=f">= {FACT_RATIO} of lambdas" if judged else "",
            met=ratio >= FACT_RATIO if judged else None,
        )


def _verdicts(policy: Policy, facts: Sequence[Mapping[str, Any]]) -> None:
    for own in facts:
        policy.evaluate(own, (), "pub_1")


def _act(rng: random.Random) -> tuple[Item, AccountFacts]:
    medium, described = Medium("https://example.com/a.jpg"), Medium("https://example.com/b.jpg", alt="A garden")
    item = Item(
        body="A walk",
        category=rng.choice(_CATEGORIES),
        origin=rng.choice(("original", "repost")),
        media=tuple(rng.choices((medium, described, described), k=rng.randint(0, 3))),
    )
    rights = tuple(f"{each}.publish" for each in rng.sample(_CATEGORIES, 2))
    past = AccountPast(refused=rng.randint(0, 5), last_day=rng.randint(0, 4))
    return item, AccountFacts("acc_1", rng.choice(_CLASSES), rights, past=past)


BENCHMARK: Final = Benchmark("events a second that rules judge on one core", measure)
