"""Sample contexts of the pages about versions of packs and the rules on a date; pages.py has those of all others."""

from typing import Any

import msgspec
from pages import DAY, HOUR, NOW, PUBLICATION, chrome, digest, hit, rules, words

from placet.model import Value
from placet.web import contexts as c
from placet.web import pack_contexts as p

ACTIVATION = "act_01kb2m7x3hf1qt2v9c4d5e6f7g"
PATH = f"/desk/packs/{ACTIVATION}"
TEXT = '\n[[rule]]\nid = "solicitation"\nwhen = "terms(\'contacts\')"\n'


def version(status: str, **changes: Any) -> p.VersionRow:
    """A version in a list."""
    base = p.VersionRow(
        id=f"{ACTIVATION}_{status}",
        pack="community",
        status=status,
        digest=digest(status),
        problems=2 if status == "draft" else 0,
        opened_at=NOW - DAY,
        activate_at=NOW + DAY if status == "scheduled" else 0,
        editors=("林語 Lin Yu", "Ada"),
        approved_by="Wren" if status == "scheduled" else "",
        reason="Fewer wrong hits on shop pages.",
    )
    return msgspec.structs.replace(base, **changes)


def packs(language: str, **changes: Any) -> p.PacksPage:
    """The list of packs."""
    w = words(language)
    base = p.PacksPage(
        chrome=chrome(language, "/desk/packs", flash="flash.pack_withdrawn"),
        packs=(
            p.PackInForce("community", "1.2.0", digest("community"), w["pack"], ACTIVATION, NOW - 3 * DAY),
            p.PackInForce("cn-public-accounts", "2026.1", digest("accounts"), w["law_pack"]),
        ),
        paused=(
            p.PausedRule("community", "sold-elsewhere", w["ground"], NOW - HOUR, 60, 57, 1_203, 3, 20),
            p.PausedRule("community", "links", w["ground2"], NOW - DAY, 1_000, 90, 50_000, 9, 20, " ", wrong=True),
        ),
        scheduled=(version("scheduled"),),
        working=(version("draft", reason=""), version("checked"), version("proposed")),
        closed=(version("superseded"), version("withdrawn")),
        offered=(("eu-dsa", "EU"),),
        may_edit=True,
        may_approve=True,
        problem="pack_refusal.invalid_reason",
    )
    return msgspec.structs.replace(base, **changes)


def changes() -> tuple[p.ChangeRow, ...]:
    """What changes in meaning, in every kind."""
    came = p.EditRow("terms", "", "", ("加群领奖", "فوز مؤكد"), ("old wave",), 31)
    return (
        p.ChangeRow("rule", "solicitation", "changed", False, (p.EditRow("then", "hold", "return", (), (), 0), came)),
        p.ChangeRow("ground", "house.9", "added", False, (p.EditRow("title.en", "", "Raffles", (), (), 0),)),
        p.ChangeRow("clock", "claim", "removed", False, (p.EditRow("duration", "PT30M", "", (), (), 0),)),
        p.ChangeRow("ground", "house.4", "changed", True, (p.EditRow("reason.zh-Hant", "", "改了", (), (), 0),)),
    )


def pack(language: str, **changed: Any) -> p.PackPage:
    """A version of a pack, without mistakes, in the hands of an editor."""
    w = words(language)
    base = p.PackPage(
        chrome=chrome(language, PATH),
        id=ACTIVATION,
        pack="community",
        version="1.3.0",
        title=w["pack"],
        status="checked",
        digest=digest("draft"),
        archive=digest("archive"),
        opened_at=NOW - DAY,
        activate_at=0,
        zone="Asia/Shanghai",
        editors=("林語 Lin Yu", "Ada"),
        proposed_by="",
        approved_by="",
        backtest="",
        report=None,
        reason="Fewer wrong hits on shop pages.",
        files=(("grounds.toml", 0), ("lists/contacts.toml", 0), ("pack.toml", 0), ("rules.toml", 0)),
        file="rules.toml",
        line=0,
        text=TEXT,
        theirs="",
        mistakes=(),
        compared_with="1.2.0",
        same=False,
        changes=changes(),
        more_changes=12,
        actions=frozenset({"save", "propose", "withdraw", "try"}),
        own=False,
        timeline=(
            c.TimelineRow(
                700, NOW - DAY, "activation.saved", "Ada", (("field.problems", "2"), ("field.note", "x")), ""
            ),
            c.TimelineRow(
                701,
                NOW - HOUR,
                "activation.proposed",
                "林語 Lin Yu",
                (("field.reason", "Fewer wrong hits."), ("field.activate_at", "2026-11-25T09:00:00Z")),
                "/desk/ledger/701",
            ),
        ),
        categories=(("general", w["pack"]), ("sale", w["ground"])),
        classes=(("individual", w["pack"]), ("other", w["ground"])),
    )
    return msgspec.structs.replace(base, **changed)


def mistakes() -> tuple[p.MistakeRow, ...]:
    """One mistake in the file that is shown, one in another."""
    return (
        p.MistakeRow(
            "bad-condition", "rules.toml", 4, "Unknown list.", "Add lists/contacts.toml.", "when = \"terms('x')\""
        ),
        p.MistakeRow("missing-file", "grounds.toml", 0, "It is not there.", "", ""),
    )


def sides(language: str) -> p.TrialResult:
    """A text that passes now, and would be held."""
    draft = p.TrialSide("hold", (hit(language), hit(language, mode="shadow")), (("community/x", "no such key"),))
    return p.TrialResult(NOW + DAY, p.TrialSide("approve", (), ()), draft)


def tested(**changes: Any) -> p.BacktestShown:
    """A backtest in which two rules did something."""
    newly = (("hold", 31), ("return", 2), ("refuse", 0), ("approve", 1))
    base = p.BacktestShown(
        packs=(f"community 1.3.0 sha256:{digest('draft')}",),
        items=12_345,
        since="2026-06-01T00:00:00Z",
        until="2026-11-01T00:00:00Z",
        judged_at="2026-12-01T00:00:00Z",
        left_out=3,
        unchanged=12_311,
        newly=newly,
        rules=(
            p.TestedRule("community/raffles", "hold", "live", 33, 31, newly, "40% (12%–77%), 2 / 5"),
            p.TestedRule("community/empty", "return", "shadow", 3, 0, (), ""),
        ),
        more_rules=4,
        decided=5,
        agreement=(("", "0% (0%–79%), 0 / 1"), ("40% (12%–77%), 2 / 5", "")),
        changed=(
            ("approve", "hold", 31, ((PUBLICATION, ("community/raffles", "community/links")), ("pub_2", ()))),
            ("hold", "approve", 1, ()),
        ),
        troubles=(("community/broken: no such key", 2),),
    )
    return msgspec.structs.replace(base, **changes)


def pack_pages(language: str) -> dict[str, Value]:
    """The pages in their states: name -> context. The name begins with that of the template."""
    w = words(language)
    typed = p.PackDraft(TEXT, "for the raffles", "lists/New.toml", "2027-03-28T02:30", "Because.")
    reads: dict[str, Any] = {"actions": frozenset[str](), "changes": (), "more_changes": 0}
    return {
        "packs": packs(language),
        "packs_bare": packs(
            language,
            paused=(),
            scheduled=(),
            working=(),
            closed=(),
            offered=(),
            may_edit=False,
            may_approve=False,
            problem="error.not_found",
        ),
        "packs_read_only": packs(language, may_edit=False, may_approve=False, problem=""),
        "pack": pack(language),
        "pack_mistakes": pack(
            language,
            status="draft",
            version="",
            mistakes=mistakes(),
            files=(("grounds.toml", 1), ("rules.toml", 1)),
            actions=frozenset({"save", "withdraw"}),
            line=4,
            problem="pack_refusal.invalid_new_file",
            problem_field="new_file",
            draft=typed,
        ),
        "pack_stale": pack(language, theirs=TEXT, problem="pack_refusal.stale", draft=typed),
        "pack_instant": pack(
            language, draft=typed, problem="pack_refusal.invalid_activate_at", problem_field="activate_at", changes=()
        ),
        "pack_proposed": pack(
            language,
            status="proposed",
            actions=frozenset({"approve", "return", "withdraw"}),
            proposed_by="Ada",
            backtest=digest("backtest"),
        ),
        "pack_backtest": pack(
            language,
            status="proposed",
            actions=frozenset({"approve", "return", "withdraw"}),
            proposed_by="Ada",
            backtest=digest("backtest"),
            report=tested(),
        ),
        "pack_backtest_bare": pack(
            language,
            status="proposed",
            actions=frozenset(),
            backtest=digest("backtest"),
            report=tested(since="", until="", judged_at="", left_out=0, rules=(), decided=0, changed=(), troubles=()),
        ),
        "pack_backtest_other": pack(
            language,
            draft=typed,
            problem="pack_refusal.invalid_other_backtest",
            problem_field="other_backtest",
            problem_facts=("community 1.3.0 sha256:0",),
        ),
        "pack_own": pack(
            language,
            status="proposed",
            activate_at=NOW + DAY,
            own=True,
            actions=frozenset({"withdraw"}),
            problem="pack_refusal.own_proposal",
            problem_facts=("Ada",),
            compared_with="",
        ),
        "pack_in_force": pack(
            language, **reads, status="active", same=True, activate_at=NOW - DAY, approved_by="Wren", reason=""
        ),
        "pack_closed": pack(language, **(reads | {"actions": frozenset({"reopen"})}), status="superseded"),
        "pack_tried": pack(language, trial=p.TrialDraft("", "Add me.", "sale", "other"), result=sides(language)),
        "pack_untried": pack(
            language,
            trial=p.TrialDraft(publication=PUBLICATION),
            trial_problem="pack_refusal.pack_unfit_together",
            trial_facts=("The ground x stands in two packs.",),
            categories=(),
            classes=(),
        ),
        "figures": p.FiguresPage(
            chrome(language, "/desk/rules"),
            (
                p.RuleFigures("community", "solicitation", w["ground"], "live", 12, 0, 1, (0, 5, 7)),
                p.RuleFigures("community", "raffles", w["ground2"], "shadow", 0, 3, 0, (1, 1, 1)),
                p.RuleFigures("community", "old", "old", "", 1, 0, 0, (1, 0, 0)),
            ),
            400,
            NOW - 3 * DAY,
            (NOW - 2 * DAY, NOW - DAY, NOW),
        ),
        "figures_none": p.FiguresPage(chrome(language, "/desk/rules"), (), 0, 0, ()),
        "rules_ahead": msgspec.structs.replace(
            rules(language), at=NOW + DAY, on="2026-11-25", moments=(NOW - DAY, NOW + HOUR)
        ),
        "rules_past": msgspec.structs.replace(rules(language), at=NOW - DAY, on="2026-11-23"),
        "rules_before": msgspec.structs.replace(
            rules(language),
            packs=(),
            rules=(),
            clocks=(),
            on="1999-01-01",
            moments=(NOW - DAY,),
            problem="rules.before_record",
        ),
    }
