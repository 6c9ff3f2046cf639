"""What each key of a pack's files means, in a sentence, for editors that complete and explain them.

A key is explained by the docstring of its field where it has one. KEYS has the others: by struct and key ("Rule.when"),
or by key alone where it means the same everywhere ("until").
"""

from collections.abc import Mapping
from typing import Final

KEYS: Final[Mapping[str, str]] = {
    # wherever they stand
    "id": "A stable name, unique in its table: what citations, rules and the record call it by.",
    "title": "What it is called, in each language.",
    "summary": "What it says, in your own words, in each language.",
    "note": "A remark for readers of the pack; nothing follows from it.",
    "from": "The first day on which it applies, in the pack's timezone.",
    "until": "The first day on which it no longer applies; leave it out while no end is known.",
    "evidence": (
        "How well the wording is known: SEED and TEXT were read in full, PRESS is from reports, DRAFT from a draft, "
        "MEM from memory; HOUSE marks house rules."
    ),
    "ground": "The ground of grounds.toml on which it restricts.",
    "cite": 'The clause that it rests on: ["IM14", "7(2)"].',
    "cites": 'The clauses that it rests on, one at least: [["IM14", "7(2)"]].',
    "label": "What findings are called.",
    "views": "The readings on which terms are sought; docs/screening.md and docs/disguises.md describe them.",
    "languages": 'What the terms are written in, as BCP 47 tags ("zh-Hant"); for people, nothing follows from it.',
    "added": "The day on which it was added; for people, nothing follows from it.",
    "added_by": "Who added it; for people, nothing follows from it.",
    "category": "A category of pack.toml, as the author declares it.",
    "classes": "The account classes that it binds; left out: all of them.",
    "agreement": "The version of the agreement that was accepted; empty: none.",
    # pack.toml
    "PackHead.id": "The pack's name, unique among the packs in force. Findings of its lists begin with it.",
    "PackHead.version": "The version of the pack, as you count it.",
    "PackHead.timezone": 'The timezone of every date of the pack, as the tz database names it: "Asia/Shanghai".',
    "PackHead.status": "`ready`, or `draft` while the pack is only tried on past items.",
    "Instrument.issuer": "Who issued it, in each language.",
    "Instrument.issued": "The day on which it was issued.",
    "Instrument.version": "The periods during which it was in force, as [[instrument.version]]; on no day two.",
    "Instrument.clause": "The clauses that the pack cites or explains, as [[instrument.clause]].",
    "Clause.id": 'The number of the clause, as citations name it: "7(2)".',
    "Clock.id": "What the service asks for: `hold.max`, `hold.escalated`, `claim`, `appeal.window`.",
    "Clock.duration": (
        "An ISO 8601 duration in whole numbers: hours, minutes and seconds are elapsed time (PT72H), days, weeks, "
        "months and years follow the calendar (P6M); the two are not mixed."
    ),
    "Clock.basis": "`legal`, with its clause in `cite`, or `product-policy` of the house.",
    "Right.action": "`publish` for original items, `repost` for those of others.",
    # grounds.toml
    "Ground.id": "Unique among all packs in force, so begin it with a name of your own.",
    "Ground.title": "What is restricted, in each language.",
    "Ground.reason": "Why, as the author reads it; the facts are listed beside it.",
    "Ground.remedy": "What the author can do about it.",
    # rules.toml
    "Rule.on": "The acts that the rule is about.",
    "Rule.when": (
        "A condition in the Common Expression Language over `item`, `account`, `links` and `act`, such as "
        "terms('seeds') && account.class != 'enterprise'. docs/rules-reference.md lists all that it may name."
    ),
    "Rule.then": (
        "What the rule asks for when its condition is true. The most restrictive rule wins; `return` and `refuse` need "
        "a ground that is automatic, else they become `hold`."
    ),
    "Rule.ground": "The ground of grounds.toml; only a rule that approves may leave it out.",
    "Rule.mode": "`live`; `shadow`: recorded, without effect; `canary`: live for a `share` of dossiers.",
    # lists/*.toml
    "WordList.name": "What rules ask for: terms('name').",
    "WordList.terms": "Plain words and phrases, up to 200 characters each.",
    "Term.text": "The word or phrase, up to 200 characters.",
    "Term.whole_words": "Whether it must be a word of its own, where its script has spaces; left out: as in its list.",
    # accounts.toml, sanctions.toml, records.toml, credit.toml, codes.toml
    "Commitment.text": "What is accepted, as the user reads it.",
    "Rung.effect": "What the measure does to the account or the item.",
    "Rung.allowed": "The clauses that allow it, each from a day on; on a day without one the ladder goes without it.",
    "Retention.record": "The kind of record that is kept.",
    "Retention.after": "What its time is counted from.",
    "Retention.basis": "`legal`, with the clause in `cite`, or `product-policy`.",
    "Retention.floor": "How long it is kept at least, as an ISO 8601 duration such as P6M.",
    "Retention.ceiling": "How long it is kept at most.",
    "Factor.measure": "What is counted: how comments were managed here, never what anybody wrote.",
    "Factor.basis": "`legal`, with the clause in `cite`, or `product-policy`.",
    "Tier.tools": "What an operator may do in their comment area.",
    "Tier.basis": "`legal`, with the clause in `cite`, or `product-policy`.",
    "Tier.least": "The fewest points for it; left out in the lowest tier.",
    "Tier.below": "The points at which the next tier begins; left out in the highest.",
    "CodeTable.size": "How many codes it has, so that none goes missing.",
    "Code.table": "The table's id.",
    "Code.code": "The code itself, unique in its table.",
    "Field.form": "The form that asks for it.",
    "Field.required": "Whether it must be filled in.",
    # cases/*.toml
    "Case.name": "What the case shows, as a sentence.",
    "Case.at": "The moment of the act, with its offset from UTC: 2024-06-01T09:00:00+08:00.",
    "Case.expect": "The outcome that must come of it.",
    "Case.item": "What is submitted; what is left out is empty.",
    "Case.account": "Who submits it.",
    "Case.external": "What is taken to have been reported by what does not run when a pack is loaded.",
    "CaseAccount.class": "The class of the account; a class alone gives no right.",
    "CaseAccount.rights": "The rights on evidence that the account has at that moment.",
    "CaseAccount.territory": "ISO 3166 code of where the account's information is offered; empty: not said.",
    "CaseAccount.past": "How its other publications stand, as counts; what is left out is 0.",
    "AccountPast.held": "How many wait for a person now.",
    "AccountPast.returned": "How many stand returned.",
    "AccountPast.refused": "How many stand refused.",
    "AccountPast.published": "How many are live now.",
    "AccountPast.taken_down": "How many stand taken down.",
    "CaseExternal.list": (
        "As rules ask for it: `external/<name>`, `external/<name>/failed`, `near/accounts`; `near/within/7` is what "
        "near(7) counts, `near/within/7/accounts` what near_accounts(7) does."
    ),
    "CaseExternal.label": "What was reported; for the index of near copies, the number.",
    "CaseExternal.score": "How sure the detector was, 0 to 100; it counts as a guess however sure it was.",
    "Item.title": "The title, as submitted.",
    "Item.body": "The body, as submitted.",
    "Item.format": "What title and body are written in.",
    "Item.origin": "`original`, or `repost` of what others wrote.",
    "Item.source": "Where a repost comes from.",
    "Item.media": "References to pictures, sound or film.",
    "Source.name": "The publisher.",
    "Source.author": "The author.",
    "Source.url": "The address.",
    "Source.title": "The original title.",
    "Medium.url": "The address of the file.",
    "Medium.kind": "What kind of file it is.",
    "Medium.sha256": "The SHA-256 of its bytes, in hexadecimal digits.",
    "Medium.alt": "What is said for those who do not see it.",
    "Citation.instrument": "The instrument's id.",
    "Citation.clause": "The clause's id.",
}
