"""Sample contexts for every page, in any language: for the rendering tests and the browser tests."""

import hashlib
import json
from typing import Any

import msgspec

from placet.errors import CODES
from placet.model import Value
from placet.procedure.access import KEY_SCOPES, ROLES
from placet.web import contexts as c

NOW = 1_795_510_800_000_000  # 2026-11-24T09:00:00Z
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

PUBLICATION = "pub_01kb2m7x3hf1qt2v9c4d5e6f7g"
ACCOUNT = "acc_01kb2m7x3hf1qt2v9c4d5e6f7g"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


WORDS: dict[str, tuple[str, str, str]] = {
    "pack": ("House rules", "社群守則", "社区守则"),
    "pack_text": (
        "What this platform does not publish, whoever sends it.",
        "本平台不發布的內容，不論由誰提交。",
        "本平台不发布的内容，不论由谁提交。",
    ),
    "law_pack": ("Public accounts", "公眾帳號", "公众账号"),
    "law_pack_text": (
        "Duties of platforms that host public accounts, with the clause for each.",
        "公眾帳號平台的義務，逐條註明出處。",
        "公众账号平台的义务，逐条注明出处。",
    ),
    "ground": ("Leads readers off the platform to pay", "引導至平台外付款", "引导至平台外付款"),
    "ground_reason": (
        "The text asks readers to pay or talk where they are not protected.",
        "文中要求讀者到沒有保障的地方付款或聯絡。",
        "文中要求读者到没有保障的地方付款或联系。",
    ),
    "remedy": (
        "Take the contact out, and sell through the shop page.",
        "刪去聯絡方式，並改由商店頁面銷售。",
        "删去联系方式，并改由商店页面销售。",
    ),
    "ground2": ("A repost that does not name its source", "轉載未註明來源", "转载未注明来源"),
    "ground2_reason": (
        "A repost names its publisher, author and address.",
        "轉載須註明發布者、作者與網址。",
        "转载须注明发布者、作者与网址。",
    ),
    "ground3": ("Another restriction by law", "法律規定的其他限制", "法律规定的其他限制"),
    "instrument": (
        "Provisions on public account information services",
        "公眾帳號資訊服務管理規定",
        "公众账号信息服务管理规定",
    ),
    "clause": (
        "Platforms check that reposted content names where it comes from.",
        "平台須查驗轉載內容是否註明來源。",
        "平台须查验转载内容是否注明来源。",
    ),
    "house": ("House rules of this platform", "本平台守則", "本平台守则"),
    "house_clause": (
        "No trade that leads readers away from protected payment.",
        "不得以交易為由引導讀者離開有保障的付款方式。",
        "不得以交易为由引导读者离开有保障的付款方式。",
    ),
    "hours": ("48 hours", "48 小時", "48 小时"),
    "minutes": ("30 minutes", "30 分鐘", "30 分钟"),
}


def words(language: str) -> dict[str, str]:
    place = ("en", "zh-Hant", "zh-Hans").index(language)
    return {key: texts[place] for key, texts in WORDS.items()}


def chrome(language: str, path: str, *, person: bool = True, **changes: Any) -> c.Chrome:
    roles = ("lead", "admin")
    nav = (
        ("nav.queue", "/desk"),
        ("nav.accounts", "/desk/accounts"),
        ("nav.ledger", "/desk/ledger"),
        ("nav.staff", "/desk/staff"),
        ("nav.keys", "/desk/keys"),
        ("nav.webhooks", "/desk/webhooks"),
    )
    who = c.Person("stf_01kb2m7x3hf1qt2v9c4d5e6f7g", "林語 Lin Yu", roles, frozenset().union(*map(ROLES.get, roles)))  # type: ignore[arg-type]
    base = c.Chrome(
        language=language,
        path=path,
        csrf="form-token",
        person=who if person else None,
        nav=nav if person else (),
        waiting=94 if person else 0,
        overdue=2 if person else 0,
        now=NOW,
    )
    return msgspec.structs.replace(base, **changes)


def clauses(language: str) -> tuple[c.ClauseRow, ...]:
    w = words(language)
    return (
        c.ClauseRow("PA21", w["instrument"], "17(1)", w["clause"], "law"),
        c.ClauseRow("HOUSE", w["house"], "4", w["house_clause"], "policy"),
    )


def pack_cards(language: str) -> tuple[c.PackCard, ...]:
    w = words(language)
    return (
        c.PackCard("community", "1.2.0", digest("community"), w["pack"], w["pack_text"], 11),
        c.PackCard("cn-public-accounts", "2026.1", digest("accounts"), w["law_pack"], w["law_pack_text"], 24),
    )


def account(_language: str) -> c.AccountCard:
    return c.AccountCard(
        id=ACCOUNT,
        name="云汀书铺 Yunting Books",
        account_class="enterprise",
        class_title="",
        rights=("news.repost",),
        agreement="2026-03",
        status="active",
        opened_at=NOW - 200 * DAY,
        counts=(("released", 100), ("returned", 3), ("held", 2), ("refused", 1)),
    )


def links() -> tuple[c.PublicationLink, ...]:
    return (
        c.PublicationLink(PUBLICATION, "橱窗换季", "released", "general", NOW - 5 * HOUR),
        c.PublicationLink("pub_2", "", "returned", "general", NOW - 3 * DAY),
        c.PublicationLink("pub_3", "Reading hour moves to Sunday 📚", "scheduled", "general", NOW - 9 * DAY),
        c.PublicationLink("pub_4", "اليوم في المكتبة", "taken_down", "current-affairs", NOW - 30 * DAY),
    )


def timeline() -> tuple[c.TimelineRow, ...]:
    return (
        c.TimelineRow(
            418, NOW - 8 * MINUTE, "publication.claimed", "林語 Lin Yu", (("field.until", "2026-11-24T09:22:00Z"),), ""
        ),
        c.TimelineRow(
            402,
            NOW - 2 * HOUR,
            "publication.escalated",
            "Ada",
            (("field.reason", "The seller's account is two days old.\nI would like a second pair of eyes."),),
            "/desk/ledger/402",
        ),
        c.TimelineRow(377, NOW - 5 * HOUR, "publication.returned", "Ada", (("field.changes", "刪去聯絡方式"),), "/l"),
        c.TimelineRow(371, NOW - 26 * HOUR, "publication.submitted", "shop-app", (("field.outcome", "hold"),), "/l"),
    )


TRACE = c.WhyStep(
    "terms('solicitation') && (account.past.refused > 2 || size(item.media) / account.past.held > 1 || item.blank)",
    "value",
    "true",
    parts=(
        c.WhyStep("terms('solicitation')", "value", "true", found=("加微信", "price list")),
        c.WhyStep(
            "account.past.refused > 2", "value", "false", parts=(c.WhyStep("account.past.refused", "value", "1"),)
        ),
        c.WhyStep("size(item.media) / account.past.held > 1", "error", "division by zero"),
        c.WhyStep("item.media.exists(m, m.alt == '')", "value", "true", turn=2),
        c.WhyStep("item.blank", "skipped"),
    ),
)


def hit(language: str, **changes: Any) -> c.HitRow:
    w = words(language)
    base = c.HitRow(
        rule="off-platform-payment",
        pack="community",
        ground="house.solicitation",
        title=w["ground"],
        reason=w["ground_reason"],
        remedy=w["remedy"],
        asked="refuse",
        given="hold",
        mode="live",
        why=("terms('community/solicitation').size() >= 1", "account.class == 'enterprise'"),
        clauses=clauses(language),
        trace=TRACE,
    )
    return msgspec.structs.replace(base, **changes)


def grounds(language: str) -> tuple[c.GroundChoice, ...]:
    w = words(language)
    return (
        c.GroundChoice("house.solicitation", w["ground"], w["ground_reason"], "HOUSE 4", False, True),
        c.GroundChoice("pa21.17.1", w["ground2"], w["ground2_reason"], "PA21 17(1)", False, False),
        c.GroundChoice("other.law", w["ground3"], w["ground_reason"], "", True, False),
    )


BODY = (
    ("功能正常，外壳有划痕，可以到店里看。\n\n要的", ()),
    ("私加 V 信:d\u200be\u200bm\u200bo\u200b0\u200b0\u200b0", (1,)),
    ("，平台聊天容易被吞消息；", ()),
    ("转账", (2,)),
    ("后天寄出", (2, 3)),
    (
        (
            "。\n\nThe machine runs quietly — I measured it at night, with the window open, for a whole week. "
            "הסבון עולה שלוש, and the hose is new. More pictures: https://library.example:sale@203.0.113.22/books\n\n"
            "<b>面交</b>地点在湖滨街 12 号，周三到周日，上午十点至傍晚六点。超过一周没有人要，我就捐给社区的洗衣房。"
        ),
        (),
    ),
)


def item(language: str, **changes: Any) -> c.ItemPage:
    base = c.ItemPage(
        chrome=chrome(language, f"/desk/items/{PUBLICATION}"),
        id=PUBLICATION,
        version=4,
        status="held",
        automatic=True,
        queue="lead",
        hold_reason="escalated",
        due_at=NOW + 3 * HOUR,
        overdue=False,
        level=2,
        claimed_by="林語 Lin Yu",
        claim_until=NOW + 22 * MINUTE,
        mine=True,
        own_submission=False,
        title=(c.Segment("出一台洗衣机，"), c.Segment("八成新", (4,)), c.Segment(" — moving sale")),
        body=tuple(c.Segment(text, marks) for text, marks in BODY),
        format="text",
        category="general",
        category_title="",
        origin="repost",
        source=(
            ("field.source_name", "湖滨邻里"),
            ("field.source_author", ""),
            ("field.source_url", "https://h.example/7"),
        ),
        media=(
            ("image", "https://media.example/washer.jpg", "银色洗衣机，门上有一道划痕"),
            ("image", "https://m.example/2", ""),
        ),
        external_id="demo-0117",
        revision=digest("revision"),
        revisions=2,
        submitted_at=NOW - 26 * HOUR,
        schedule_at=NOW + 2 * DAY,
        live=True,
        blocked_by=(),
        findings=(
            c.FindingRow(
                1,
                "terms",
                "community/solicitation",
                "私加V信",
                "body",
                "私加 V 信:d\u200be\u200bm\u200bo\u200b0\u200b0\u200b0",
                "squeezed",
                70,
                12,
                35,
            ),
            c.FindingRow(
                2, "patterns", "community/payment", "transfer-first", "body", "转账后天寄出", "exact", 100, 40, 46
            ),
            c.FindingRow(3, "terms", "community/delay", "后天寄出", "body", "后天寄出", "folded", 90, 42, 46),
            c.FindingRow(4, "terms", "community/resale", "八成新", "title", "八成新", "exact", 100, 0, 3),
            c.FindingRow(5, "external", "external/tone", "insult", "body", "", "model", 61, 0, 0, "tone", "2026-03"),
        ),
        hits=(hit(language),),
        shadow=(hit(language, rule="new-account-sale", mode="shadow", given="hold", asked="hold"),),
        errors=(("community/link-age", "no such key: registered_at"),),
        account=account(language),
        recent=links(),
        timeline=timeline(),
        actions=frozenset({"unclaim", "approve", "return", "refuse", "escalate"}),
        grounds=grounds(language),
        draft=c.DecisionDraft(),
        next_item="/desk/items/pub_2",
    )
    return msgspec.structs.replace(base, **changes)


def queue_rows(language: str) -> tuple[c.QueueRow, ...]:
    w = words(language)
    texts = (
        (
            "要的私加，平台聊天容易被吞消息",
            "婴儿车处理：八成新，轮子顺，面交或者寄都可以。",
            "verdict",
            -2 * DAY,
            "review",
        ),
        (
            "Your fare refund is waiting",
            "Dear passenger, you have been overcharged 46.00. Confirm your card number.",
            "escalated",
            -40 * MINUTE,
            "lead",
        ),
        ("換季衣服整袋出", "整袋兩百，不挑。這裡只能放九張照片，太少了。", "verdict", 50 * MINUTE, "review"),
        (
            "Repost: how other cities paint their trams, and what that says of people who wait for them in the rain",
            "Green for hills, blue for harbours.",
            "contested",
            3 * HOUR,
            "lead",
        ),
        ("", "🍜🍜🍜🔥🥢", "verdict", 20 * HOUR, "review"),
        ("السوق القديم", "كل خميس من السابعة صباحا", "overdue", 30 * HOUR, "lead"),
        ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "verdict", 3 * DAY, "review"),
    )
    return tuple(
        c.QueueRow(
            id=f"pub_{number}",
            title=title,
            excerpt=excerpt,
            account_id=ACCOUNT,
            account_name=("云汀书铺 Yunting Books", "Metro notices", "三疊嶺山屋")[number % 3],
            account_class=("enterprise", "public_body", "individual")[number % 3],
            category="general" if number % 4 else "current-affairs",
            queue=queue,
            hold_reason=why,
            reasons=(w["ground"],) if number % 2 else (w["ground"], w["ground2"]),
            due_at=NOW + due,
            overdue=due < 0,
            submitted_at=NOW + due - 2 * DAY if due < 0 else NOW - 5 * HOUR,
            level=2 if queue == "lead" else 0,
            claimed_by={1: "Ada", 2: "林語 Lin Yu"}.get(number, ""),
            mine=number == 2,
        )
        for number, (title, excerpt, why, due, queue) in enumerate(texts)
    )


def trial(language: str) -> c.TrialPage:
    text = "请佳威信了解"
    return c.TrialPage(
        chrome=chrome(language, "/desk/try"),
        text=text,
        outcome="hold",
        segments=(c.Segment("请"), c.Segment("佳威信", (1,)), c.Segment("了解")),
        findings=(c.FindingRow(1, "terms", "community/solicitation", "加微信", "body", "佳威信", "sound", 65, 1, 4),),
        hits=(hit(language),),
        errors=(("community/link-age", "no such key: registered_at"),),
        readings=(("words", "请|佳|威信|了解"), ("sound", "qing jia wei xin liao jie")),
    )


def ledger(language: str, **changes: Any) -> c.LedgerPage:
    kinds = (
        "publication.released",
        "publication.approved",
        "staff.passkey_added",
        "account.rights_set",
        "policy.recorded",
    )
    note = f"desk.example/log\n4120\n{digest('root')[:43]}=\n\n— desk.example/log {digest('sig')}\n"
    base = c.LedgerPage(
        chrome=chrome(language, "/desk/ledger"),
        origin="desk.example/log",
        vkey="desk.example/log+7d1b35a2+AbWn0b8lRH1o0jO2Gq8w9cQzYV2a0Q8mCw4xg1n1v7k9",
        size=4120,
        entries=4122,
        root=digest("root"),
        at=NOW - 40_000_000,
        note=note,
        rows=tuple(
            c.LedgerRow(
                4122 - n, NOW - n * 7 * MINUTE, kinds[n % 5], PUBLICATION, "Ada" if n % 3 else "actor.system", n > 1
            )
            for n in range(9)
        ),
        older="/desk/ledger?before=4113",
    )
    return msgspec.structs.replace(base, **changes)


def proof(language: str, **changes: Any) -> c.ProofPage:
    base = c.ProofPage(
        chrome=chrome(language, "/desk/ledger/402"),
        seq=402,
        header=(
            ("field.seq", "402"),
            ("field.at", "2026-11-24T07:00:00Z"),
            ("field.dossier", PUBLICATION),
            ("field.kind", "publication.escalated"),
            ("field.actor", "stf_01kb2m7x3hf1qt2v9c4d5e6f7g"),
        ),
        header_line=json.dumps({"actor": "stf_01kb", "at": 1_795_503_600_000_000, "body": digest("body"), "seq": 402}),
        leaf=digest("leaf"),
        steps=tuple(("left" if n % 3 == 1 else "right", digest(f"s{n}"), digest(f"h{n}")) for n in range(6)),
        size=4120,
        root=digest("h5"),
        verified=True,
        body_matches=True,
        dossier=PUBLICATION,
    )
    return msgspec.structs.replace(base, **changes)


def webhooks(language: str) -> c.WebhooksPage:
    def delivery(number: int, status: str, error: str) -> c.DeliveryRow:
        return c.DeliveryRow(
            id=f"dlv_{number}",
            endpoint="https://hooks.example/placet",
            event="publication.returned",
            dossier=PUBLICATION,
            created_at=NOW - number * HOUR,
            attempts=number,
            status=status,
            next_at=NOW + 5 * MINUTE if status == "waiting" else 0,
            last_error=error,
        )

    return c.WebhooksPage(
        chrome=chrome(language, "/desk/webhooks"),
        endpoints=(
            c.EndpointRow("whk_1", "https://hooks.example/placet", NOW - 40 * DAY, False),
            c.EndpointRow("whk_2", "https://old.example/in", NOW - 90 * DAY, True),
        ),
        dead=(delivery(8, "dead", "503 Service Unavailable"),),
        waiting=(delivery(2, "waiting", "connection refused"),),
        secret="whsec_c2FtcGxlLW5vdC1hLXNlY3JldA==",
    )


def rules(language: str) -> c.RulesPage:
    w = words(language)
    row = c.RuleRow(
        id="repost-source",
        pack="cn-public-accounts",
        when="item.origin == 'repost' &&\n  (item.source.name == '' || item.source.url == '')",
        then="return",
        mode="live",
        since="2021-02-22",
        ground="pa21.17.1",
        title=w["ground2"],
        reason=w["ground2_reason"],
        remedy=w["remedy"],
        clauses=clauses(language)[:1],
    )
    mine = msgspec.structs.replace(
        row,
        id="solicitation",
        pack="community",
        then="hold",
        mode="shadow",
        title=w["ground"],
        clauses=clauses(language)[1:],
    )
    return c.RulesPage(
        chrome=chrome(language, "/rules", person=False),
        packs=pack_cards(language),
        rules=(mine, row),
        clocks=(
            ("hold.max", w["hours"], "policy", ""),
            ("claim", w["minutes"], "law", "PA21 17(1)"),
            ("house.own", w["hours"], "policy", ""),
        ),
        policy=digest("policy"),
    )


def api(language: str) -> c.ApiPage:
    example = json.dumps(
        {"account": ACCOUNT, "title": "It's open", "body": "今天開門。", "category": "general"}, ensure_ascii=False
    )
    submit = c.ApiOperation(
        "POST",
        "/v1/publications",
        "Submit a publication",
        "Screens it, decides by rule, and records both.",
        "publication.submit",
        example,
        (("201", "The publication with its verdict and findings."), ("422", "A field has a wrong value.")),
    )
    read = c.ApiOperation(
        "GET", "/v1/publications/{id}", "Read a publication", "", "publication.read", "", (("200", "The publication."),)
    )
    head = c.ApiOperation(
        "GET", "/v1/ledger/checkpoint", "The latest signed head", "", "", "", (("200", "A signed note."),)
    )
    return c.ApiPage(
        chrome=chrome(language, "/api", person=False),
        groups=(("publications", (submit, read)), ("ledger", (head,))),
        base_url="https://desk.example",
        codes=tuple((name, code.status, code.title, code.next_step) for name, code in CODES.items()),
    )


def staff(language: str) -> c.StaffPage:
    return c.StaffPage(
        chrome=chrome(language, "/desk/staff"),
        people=(
            c.StaffRow("stf_1", "林語 Lin Yu", ("lead", "admin"), NOW - 90 * DAY, False, 2),
            c.StaffRow("stf_2", "Ada", ("reviewer",), NOW - 30 * DAY, False, 0),
            c.StaffRow("stf_3", "Grace", ("auditor",), NOW - 300 * DAY, True, 1),
        ),
        roles=tuple((role, tuple(sorted(permissions))) for role, permissions in ROLES.items()),
        link="https://desk.example/link/3vQ0y5xLrE2cUu8kqkVJm0hY9w1S7n4T",
        link_name="Ada",
    )


def keys(language: str) -> c.KeysPage:
    return c.KeysPage(
        chrome=chrome(language, "/desk/keys"),
        keys=(
            c.KeyRow("key_1", "shop-app", ("publication.submit", "publication.read"), ACCOUNT, NOW - 9 * DAY, False),
            c.KeyRow("key_2", "old importer", ("screen",), "", NOW - 90 * DAY, True),
        ),
        scopes=KEY_SCOPES,
        token="pk_sample_not_a_key_3vQ0y5xLrE2cUu8kqkVJm0hY9w1S7n4T",
    )


PASSKEY_OPTIONS = json.dumps({"challenge": "c2FtcGxl", "rpId": "localhost", "allowCredentials": [], "timeout": 60000})
CREATION_OPTIONS = json.dumps(
    {
        "challenge": "c2FtcGxl",
        "rp": {"id": "localhost", "name": "Placet"},
        "user": {"id": "c3Rm", "name": "Lin Yu", "displayName": "Lin Yu"},
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
        "excludeCredentials": [],
        "authenticatorSelection": {"residentKey": "required", "userVerification": "required"},
    }
)


def _sign_in_pages(language: str) -> dict[str, Value]:
    outside = chrome(language, "/sign-in", person=False)
    return {
        "sign_in": c.SignInPage(outside, PASSKEY_OPTIONS),
        "sign_in_problem": c.SignInPage(outside, PASSKEY_OPTIONS, "error.passkey_failed"),
        "link": c.LinkPage(chrome(language, "/link/token", person=False), "Ada", "token"),
        "link_spent": c.LinkPage(chrome(language, "/link/token", person=False), "", "token", spent=True),
        "passkeys": c.PasskeysPage(
            chrome(language, "/me"), (c.Passkey("passkey_1", "手機 phone", NOW - 9 * DAY),), CREATION_OPTIONS
        ),
        "passkeys_none": c.PasskeysPage(chrome(language, "/me"), (), CREATION_OPTIONS, "error.passkey_failed"),
    }


def _item_pages(language: str) -> dict[str, Value]:
    draft = c.DecisionDraft(
        choice="refuse", ground="other.law", facts="文中寫著「私加」", reason="It leads readers away."
    )
    return {
        "item": item(language),
        "item_problem": item(language, draft=draft, problem="error.ground_needs_law", problem_field="law"),
        "item_other": item(
            language, mine=False, claimed_by="Ada", actions=frozenset(), overdue=True, due_at=NOW - HOUR, format="html"
        ),
        "item_stale_rules": item(
            language,
            draft=draft,
            problem="stale_rules",
            rules_read=digest("policy"),
            rules_changed=("community 1.0 (1f2e3d4c) → community 1.1 (5a6b7c8d)", "eu-dsa 1.0 (0a0b0c0d) → —"),
        ),
        "item_own": item(language, own_submission=True, mine=False, claimed_by="", claim_until=0, actions=frozenset()),
        "item_bare": item(
            language,
            status="blocked",
            queue="",
            hold_reason="",
            due_at=0,
            mine=False,
            claimed_by="",
            title=(),
            body=(),
            source=(),
            media=(),
            external_id="",
            schedule_at=0,
            live=False,
            blocked_by=("account", "own_check"),
            findings=(),
            hits=(),
            shadow=(),
            errors=(),
            recent=(),
            actions=frozenset({"release", "take_down"}),
            next_item="",
        ),
    }


def _queue_pages(language: str) -> dict[str, Value]:
    w = words(language)
    counts = (("review", 61), ("lead", 1000))
    filtered = c.QueueFilter(queue="lead", show="mine", account=ACCOUNT, ground="pa21.17.1")
    offered = (("house.solicitation", w["ground"]), ("pa21.17.1", w["ground2"]))
    return {
        "queue": c.QueuePage(
            chrome(language, "/desk", flash="flash.approved", demo=True),
            c.QueueFilter(),
            queue_rows(language),
            counts,
            offered,
            "/desk?cursor=x",
            "/desk/items/pub_0",
        ),
        "queue_empty": c.QueuePage(chrome(language, "/desk?queue=lead", halted=True), filtered, (), counts, offered),
        "queue_idle": c.QueuePage(chrome(language, "/desk", waiting=0, overdue=0), c.QueueFilter(), (), (), ()),
    }


def _record_pages(language: str) -> dict[str, Value]:
    blank: dict[str, Any] = {"size": 0, "entries": 0, "rows": (), "older": "", "asked": "99999"}
    return {
        "trial": trial(language),
        "trial_empty": c.TrialPage(chrome(language, "/desk/try"), problem="trial.empty"),
        "trial_clean": c.TrialPage(chrome(language, "/desk/try"), text="你好", outcome="approve"),
        "ledger": ledger(language),
        "ledger_empty": ledger(language, **blank),
        "proof": proof(language),
        "proof_broken": proof(language, verified=False, body_matches=False, dossier="stf_1", steps=()),
        "proof_erased": proof(language, body_matches=None, dossier=ACCOUNT),
    }


def _house_pages(language: str) -> dict[str, Value]:
    return {
        "account": c.AccountPage(
            chrome(language, f"/desk/accounts/{ACCOUNT}"), account(language), links(), timeline(), "/n"
        ),
        "accounts": c.AccountsPage(
            chrome(language, "/desk/accounts"),
            (account(language), msgspec.structs.replace(account(language), rights=(), counts=(), status="closed")),
            "/desk/accounts?cursor=x",
        ),
        "accounts_empty": c.AccountsPage(chrome(language, "/desk/accounts"), ()),
        "lists": c.ListsPage(chrome(language, "/desk/lists"), (figures(), figures(in_force=False, removed=0))),
        "lists_none": c.ListsPage(chrome(language, "/desk/lists"), ()),
        "list": word_list(language),
        "list_problem": word_list(
            language,
            show="changed",
            problem="error.bad_terms",
            bad=(("138 0013 8000", "bad_term.number"),),
            draft=c.ListDraft("138 0013 8000\n加群领奖", "Seen since Monday.", "", "2026-12-01"),
        ),
        "list_read_only": word_list(language, may_edit=False, terms=(), timeline=(), figures=figures(in_force=False)),
        "staff": staff(language),
        "staff_problem": msgspec.structs.replace(staff(language), link="", problem="error.staff_exists", name="Ada"),
        "keys": keys(language),
        "keys_none": msgspec.structs.replace(keys(language), keys=(), token="", problem="error.invalid", label="x"),
        "webhooks": webhooks(language),
        "webhooks_none": c.WebhooksPage(
            chrome(language, "/desk/webhooks"), (), (), (), problem="error.invalid", url="http://x"
        ),
    }


def figures(**changes: Any) -> c.ListFigures:
    base = c.ListFigures("community/gambling", "Gambling offers", "Offers, not the subject.", True, 99_998, 2, 3, 1)
    return msgspec.structs.replace(base, **changes)


def word_list(language: str, **changes: Any) -> c.ListPage:
    touched: dict[str, Any] = {"by": "林語 Lin Yu", "at": NOW - HOUR, "reason": "A wave of spam since Monday."}
    terms = (
        c.TermLine("加群领奖", "added", "seen in comments", NOW + 7 * DAY, **touched),
        c.TermLine("online casino bonus", "listed"),
        c.TermLine("فوز مؤكد", "removed", **touched),
        c.TermLine("old wave", "ended", until=NOW - DAY, **touched | {"by": "actor.system"}),
    )
    base = c.ListPage(
        chrome=chrome(language, "/desk/lists/community/gambling"),
        figures=figures(),
        show="counting",
        contains="",
        terms=terms,
        next="/desk/lists/community/gambling?cursor=x",
        may_edit=True,
        timeline=(
            c.TimelineRow(512, NOW - HOUR, "list.added", "林語 Lin Yu", (("field.terms", "加群领奖, old wave"),), "/l"),
        ),
    )
    return msgspec.structs.replace(base, **changes)


def sample_pages(language: str) -> dict[str, Value]:
    """Every page in its states: name -> context. The name begins with that of the template."""
    outside = chrome(language, "/", person=False)
    return {
        "home": c.HomePage(outside, pack_cards(language), "desk.example/log", 4122),
        "home_bare": c.HomePage(chrome(language, "/"), (), "desk.example/log", 0),
        **_sign_in_pages(language),
        **_queue_pages(language),
        **_item_pages(language),
        **_record_pages(language),
        **_house_pages(language),
        "rules": rules(language),
        "rules_none": msgspec.structs.replace(rules(language), rules=(), clocks=()),
        "api": api(language),
        "problem": c.ProblemPage(chrome(language, "/desk/items/pub_9"), 404, "not_found", "req_7c9e6679"),
        "problem_unknown": c.ProblemPage(chrome(language, "/x", person=False), 403, "made_up", "req_7c9e6679"),
    }
