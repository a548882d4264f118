"""One call of each script, with all that it needs, in a store in which much is going on.

Called by `test_all_or_nothing`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from bot.domain.acting import Action, Result
from bot.domain.board import BoardRecord
from bot.domain.catch_up import catch_up_id, caught
from bot.domain.change import ChangeKind
from bot.domain.following import Level, Quiet, RuleNews, RuleNewsKind, Subscriber, Subscription
from bot.domain.search import Match
from bot.domain.snapshot import Board, Receipt
from bot.gcs.fingerprint import Fingerprint
from bot.store import Store
from bot.store.brake import LEAST, NOT_FOUND
from bot.store.keys import Lane, execution_key, lane_of
from bot.store.log.rows import Sent
from bot.store.outbox import Claim
from bot.store.outbox.dead_letters import letter_of
from bot.store.rows import subscription_row
from bot.store.schedule import Due
from bot.store.snapshots import NO_FINGERPRINT, first_text
from tests.servers import ACCOUNT, KEYS, OWNER
from tests.store.following import ALICE, LAB, LATER, NOW, SOON, change, due, follow, lanes, rule_of, snapshot_of

Call = Callable[[], Awaitable[object]]
"""Something that runs one script; a test awaits it when it likes."""

NIGHT = execution_key(ACCOUNT, "T1", "night")


async def calls_of(store: Store) -> dict[str, Call]:
    """One call for each script, or several with a word behind its name."""
    await follow(store, execution_id="dead")
    (dead,) = await lanes(store)
    await store.outbox.forget(dead, reason="is_archived")
    ((letter, _),) = await store.outbox.letters.rows()
    await follow(store, execution_id="changed")
    (changed,) = await due(store)
    await store.schedule.settle(changed, snapshot_of("changed", 2), [change(2)], next_poll=LATER, is_visible=True)
    for execution_id in ("e1", "e2", "e3", "e4"):
        await follow(store, execution_id=execution_id)
    for execution_id, minutes in (("e1", 0), ("e2", 0), ("e1", 1)):
        await join(store, execution_id, minutes)
    polls = {item.execution_id: item for item in await due(store)}
    claims = {claim.lane.execution_id: claim for claim in await lanes(store)}
    await follow(store, execution_id="e5")
    await follow(store, LAB, execution_id="lab")
    await follow(store, LAB, execution_id="muted")
    await store.subscribers.mute(LAB, "muted", Quiet())
    await follow(store, execution_id="night")
    await store._connection.run("subscriptions/hours", KEYS.home_of(NIGHT), f"{NIGHT}/U1", "1-9999999999999")
    return {
        **await of_acts(store),
        **of_engine_and_schedule(store, polls, claims),
        **of_outbox(store, claims, letter),
        **await of_boards(store),
        **await of_brakes(store),
        **of_catch_ups(store, claims),
        **await of_channels(store),
        **await of_rules(store),
        **of_limits(store, claims["e1"].lane),
        **of_subscriptions(store),
    }


async def of_acts(store: Store) -> dict[str, Call]:
    """What people had GCS do: to an execution that somebody else follows, and nobody polls at the moment."""
    acts = store.acts

    def begin(token: str, execution_id: str = "e5") -> Awaitable[bool]:
        return acts.begin("T1", execution_id, token=token, known="", action=Action.CANCEL, by="U2")

    await begin("a1")
    act = await acts.last("T1", "e5")
    assert act is not None
    return {
        "acts/begin": lambda: begin("a2", "e1"),
        "acts/finish": lambda: acts.finish("T1", "e5", act, Result.UNKNOWN, now=NOW),
        "acts/finish done": lambda: acts.finish("T1", "e5", act, Result.DONE, now=NOW),
    }


def of_engine_and_schedule(store: Store, polls: dict[str, Due], claims: dict[str, Claim]) -> dict[str, Call]:
    """Polls, and what is done for the store as a whole."""
    run, schedule, first = store._connection.run, store.schedule, polls["e1"]
    home = KEYS.home_of(first.execution)
    outcome, history = [change(2, ChangeKind.OUTCOME)], KEYS.history_of(ACCOUNT, "T1")
    end = ("align", "markmark", "e9", '{"id":"e9"}', "1", 60_000)
    return {
        "engine/clock": lambda: run("engine/clock", KEYS.partition(0), 0, 1),
        "engine/give_back": lambda: run("engine/give_back", home, claims["e1"].token),
        "engine/probe": lambda: run("engine/probe", KEYS.partition(0)),
        "engine/recover": store.recover,
        "inspection/backlog": store.inspection.backlog,
        "owner/swap": lambda: store.ownership.take(OWNER),
        "schedule/claim": lambda: due(store),
        "schedule/ended": lambda: run("schedule/ended", history, *end, 9, 9, "run", "AA", "step:sort", "AB"),
        "schedule/ended full": lambda: run("schedule/ended", history, *end, 0, 9, "run", "AA"),
        "schedule/learnt": lambda: run("schedule/learnt", history, "align", 60_000, 9, "0.3", "run", "AA"),
        "schedule/listed": lambda: schedule.listed("T1", [("e1", "newer---")], defer_for=LATER),
        "schedule/listed gone": lambda: schedule.listed("T1", [("e5", "gone----")], defer_for=LATER),
        "schedule/ready": schedule.ready,
        "schedule/renew": lambda: run("schedule/renew", home, 9000, first.execution, first.token, first.header.listed),
        "schedule/settle alarm": lambda: schedule.settle(
            first,
            snapshot_of("e1", 2),
            (),
            next_poll=LATER,
            is_visible=False,
            fingerprint=Fingerprint("state---", "counts--", is_covered=True),
            alarm_at=NOW + LATER,
        ),
        "schedule/set_aside": lambda: run("schedule/set_aside", home, first.execution, first.token, 1000),
        "schedule/settle": lambda: schedule.settle(
            first, snapshot_of("e1", 2), outcome, next_poll=LATER, is_visible=True
        ),
        "schedule/settle end": lambda: schedule.settle(
            polls["e2"], snapshot_of("e2", 2), outcome, next_poll=None, is_visible=True
        ),
        "schedule/unchanged": lambda: schedule.settle_unchanged(first, seen_at=first.now, next_poll=LATER),
        "schedule/unchanged put_back": lambda: schedule.put_back(first),
    }


def of_outbox(store: Store, claims: dict[str, Claim], letter: str) -> dict[str, Call]:
    """Deliveries."""
    shown = Receipt(channel="D1", ts="1.2", revision=1)
    return {
        "outbox/amend": lambda: store.outbox.amend(claims["changed"], replace(change(2), message="another")),
        "outbox/claim": lambda: lanes(store),
        "outbox/forget": lambda: store.outbox.forget(claims["e4"], reason="is_archived"),
        "outbox/ready": store.outbox.ready,
        "outbox/record": lambda: store.outbox.record(claims["e1"], shown),
        "outbox/record last": lambda: store.outbox.record(claims["e3"], shown, is_last=True),
        "outbox/record changed": lambda: store.outbox.record(
            claims["changed"], replace(shown, delivered_through=2), sent=Sent("2.3", is_in_thread=True)
        ),
        "outbox/record no card": lambda: store.outbox.record(
            claims["changed"], replace(shown, ts="", delivered_through=2), sent=Sent("2.3", is_in_thread=False)
        ),
        "outbox/resurrect": lambda: store.outbox.letters._restore(letter, letter_of(letter)),
        "outbox/release": lambda: store.outbox.release(claims["e1"]),
        "outbox/release later": lambda: store.outbox.release(claims["e2"], wait=SOON),
        "outbox/release refused": lambda: store.outbox.release(claims["changed"], wait=SOON, code="not_in_channel"),
    }


async def of_boards(store: Store) -> dict[str, Call]:
    """A board that is posted, and one whose message another store has posted."""
    boards, shown = store.boards, Receipt(channel="C1", ts="1.2", revision=1)
    record = BoardRecord(subscriber=LAB, owner="U1", posted_at=NOW)
    await boards.post(record, Board())
    other = replace(record, workflow="rna")
    return {
        "boards/show": lambda: boards.show(record, Board(failed=7), revision=1),
        "subscriptions/announce shown": lambda: boards.post(other, Board(), receipt=shown),
    }


async def of_brakes(store: Store) -> dict[str, Call]:
    """Endings, after as many as may be: the next one is braked."""
    brake, run = store.brake, store._connection.run
    for number in range(LEAST):
        await brake.may_end("T1", "full", f"T1/full{number}")
    for number in range(2):
        await brake.may_end("T1", "lost", f"T1/lost{number}", is_lost=True)
    return {
        "brake/ask": lambda: brake.may_end("T1", NOT_FOUND, "T1/e1"),
        "brake/ask too many": lambda: brake.may_end("T1", "full", "T1/e1"),
        "brake/ask lost": lambda: brake.may_end("T1", NOT_FOUND, "T1/e1", is_lost=True),
        "brake/recovered": lambda: brake.recovered("T1", "T1/lost0"),
        "brake/release": lambda: run("brake/release", KEYS.brake_of("T1"), "lost", 60_000),
        "brake/state": lambda: brake.state("T1"),
    }


def join(store: Store, execution_id: str, minutes: int) -> Awaitable[object]:
    """Have an end reported in the catch-up message for a quiet time that ended in so many minutes."""
    end = caught(change(2, ChangeKind.OUTCOME), snapshot_of(execution_id), None)
    lane = lane_of(ACCOUNT, ALICE, execution_id)
    return store.outbox.catch_ups.enter(lane, end, until=NOW + timedelta(minutes=minutes))


def of_catch_ups(store: Store, claims: dict[str, Claim]) -> dict[str, Call]:
    """Messages that are claimed: one with two ends, and one with a single end."""
    catch_ups = store.outbox.catch_ups
    two, alone = (claims[catch_up_id("U1", NOW + timedelta(minutes=minutes))] for minutes in (0, 1))
    return {
        "catch_ups/enter": lambda: join(store, "e3", 0),
        "catch_ups/enter first": lambda: join(store, "e3", 2),
        "catch_ups/close": lambda: catch_ups.close(two.lane, two.token),
        "catch_ups/close alone": lambda: catch_ups.close(alone.lane, alone.token),
        "catch_ups/refused": lambda: catch_ups.refused(two.lane, two.token, "restricted_action"),
        "catch_ups/finish": lambda: catch_ups.posted(two.lane, two.token, channel="D1", ts="2.3"),
    }


async def of_channels(store: Store) -> dict[str, Call]:
    """What is known of channels."""
    channels, run = store.channels, store._connection.run
    await channels.note("T1", "C1", is_shared=True)
    await channels.note("T1", "C2", is_shared=True)
    await channels.approve("T1", "C2", "U1")
    return {
        "channels/approve": lambda: channels.approve("T1", "C1", "U1"),
        "channels/approve revoke": lambda: channels.approve("T1", "C2", ""),
        "channels/forget_person": lambda: run("channels/forget_person", KEYS.channel_of("T1", "C2"), "U1", "-"),
        "channels/looked": lambda: channels.note("T1", "C3", is_shared=True),
        "channels/looked unshared": lambda: channels.note("T1", "C2", is_shared=False),
        "channels/notified": lambda: channels.note_notified("T1", "C1", "U1"),
    }


async def of_rules(store: Store) -> dict[str, Call]:
    """Rules, and what they follow."""
    rules, enlisting, run = store.rules, store.enlisting, store._connection.run
    home = KEYS.rules_of(ACCOUNT, "T1")
    now = NOW  # a moment of another length would be packed into another size
    rule, _, _ = await rules.put(replace(rule_of(LAB), created_at=now, expires_at=now + LATER), level=None)
    await rules.put(rule_of(LAB, "rna-seq"), level=None)
    row = str(await store._connection._endpoint.redis.hget(f"{home}rows", f"C1/{rule.id}"))

    def enlist(execution_id: str, subscriber: Subscriber = LAB) -> Awaitable[object]:
        match = Match(execution_id, created_at=now)
        return enlisting.enlist({subscriber: [rule]}, match, now=now, floor=now - LATER)

    def enlist_alone(execution_id: str, subscriber: Subscriber, known: str) -> Awaitable[object]:
        made = Subscription(
            execution_id=execution_id, subscriber=subscriber, owner="U1", created_at=now, is_by_rule=True
        )
        lane, text = lane_of(ACCOUNT, subscriber, execution_id), first_text(snapshot_of(execution_id), None)
        args = (str(lane), subscription_row(made), text, 1, 9, 5, 1, 1000, "", -1, known)
        return run("subscriptions/enlist", KEYS.home_of(lane.execution), *args)

    await enlist("ruled")
    await enlist("ruled too")
    return {
        "rules/begin_scan": lambda: rules.begin_scan(every=LATER),
        "rules/end_scan": lambda: rules.end_scan(now),
        "rules/read": rules.read,
        "rules/swap": lambda: rules.change(LAB, rule.id, lambda known: replace(known, is_full=True)),
        "rules/swap away": lambda: run("rules/swap", home, f"C1/{rule.id}", row, "", 9),
        "rules/swap new": lambda: rules.put(rule_of(ALICE), level=None),
        "rules/leave": lambda: run("rules/leave", home, LAB.id, "ruled"),
        "rules/places": lambda: run("rules/places", home, -1, LAB.id),
        "rules/take_place": lambda: rules.take_places([rule], "e1", most=9),
        "subscriptions/announce": lambda: enlisting.announce(RuleNews(RuleNewsKind.FULL, rule)),
        "subscriptions/enlist": lambda: enlist_alone("found", LAB, ""),
        "subscriptions/enlist louder": lambda: enlist_alone("e1", ALICE, "1"),
        "subscriptions/unlist": lambda: enlisting._unlist(lane_of(ACCOUNT, LAB, "ruled"), None, by="U1"),
        "subscriptions/unlist kept": lambda: enlisting._unlist(lane_of(ACCOUNT, LAB, "ruled too"), Level.FINAL),
    }


def of_limits(store: Store, lane: Lane) -> dict[str, Call]:
    """GCS's quota, Slack's limits, and what else is beside the executions."""
    quota = store.gcs_quota("AK", per_minute=10, reserve=0)
    limits = store.slack_limits(calls=9, posts=9, channel_posts=9)
    return {
        "homes/ended": lambda: store.homes.note_end(ALICE, snapshot_of("e1")),
        "requests/first_time": lambda: store.requests.is_first("T1", "digest"),
        "gcs_quota/reader_lease": lambda: quota.hold_reader_lease("T1", reading=(LATER, 5)),
        "gcs_quota/refused": lambda: quota.refused(LATER),
        "gcs_quota/request": lambda: store.person_limit(per_minute=20).count(ALICE),
        "gcs_quota/usage": quota.usage,
        "gcs_quota/take": lambda: quota.take(is_person=True),
        "slack_limits/admit": lambda: limits.admit(lane, "chat.update", priority=0),
        "slack_limits/away": lambda: limits.away("T1"),
        "slack_limits/back": lambda: limits.back("T1"),
        "slack_limits/outage": lambda: limits.outage("T1"),
        "slack_limits/pause": lambda: limits.pause("T1", "chat.update", LATER),
        "slack_limits/paused": lambda: limits.paused("T1", "chat.update"),
    }


def of_subscriptions(store: Store) -> dict[str, Call]:
    """What people ask for."""
    run, new = store._connection.run, Subscription(execution_id="new", subscriber=ALICE, owner="U1", created_at=NOW)
    lane = lane_of(ACCOUNT, ALICE, "new")
    row = (str(lane), subscription_row(new), first_text(snapshot_of("new"), None), 1000, 2000, 1, "", "")

    def key(execution_id: str) -> str:
        return execution_key(ACCOUNT, "T1", execution_id)

    def home(execution_id: str) -> str:
        return KEYS.home_of(key(execution_id))

    lab, muted = lane_of(ACCOUNT, LAB, "lab"), lane_of(ACCOUNT, LAB, "muted")
    notice = f"0|{msgspec.json.encode(change(0, ChangeKind.MUTED)).decode()}"
    restored = (str(lane), row[1], row[2], "D1|1.2|1|0", f"2|{msgspec.json.encode(change(2)).decode()}")
    return {
        "subscriptions/enter": lambda: store.subscribers._index.enter(lane, NOW),
        "subscriptions/enter rule": lambda: store.subscribers._index.enter(lane, NOW, is_by_rule=True),
        "subscriptions/enter full": lambda: store.subscribers._index.enter(lane, NOW, most=99),
        "subscriptions/forget_person": lambda: run("subscriptions/forget_person", home("e3"), key("e3"), "U1"),
        "subscriptions/forget_person owner": lambda: run("subscriptions/forget_person", home("lab"), key("lab"), "U1"),
        "subscriptions/hours": lambda: run("subscriptions/hours", home("e5"), f"{key('e5')}/U1", "1-2"),
        "subscriptions/hours off": lambda: run("subscriptions/hours", home("night"), f"{key('night')}/U1", ""),
        "subscriptions/mute": lambda: run("subscriptions/mute", home("lab"), str(lab), "end", notice),
        "subscriptions/mute end": lambda: run("subscriptions/mute", home("muted"), str(muted), "", ""),
        "subscriptions/redraw": lambda: store.subscribers.redraw(
            ALICE, "e3", (NO_FINGERPRINT, NO_FINGERPRINT, False), NOW + timedelta(days=1)
        ),
        "subscriptions/refresh": lambda: store.subscribers.refresh(ALICE, "e3"),
        "subscriptions/subscribe": lambda: run("subscriptions/subscribe", KEYS.home_of(lane.execution), *row),
        "subscriptions/last": lambda: store.subscribers.last("T1", "e1"),
        "log/read": lambda: store.logs.read("T1", "changed", [ALICE]),
        "subscriptions/restore": lambda: run("subscriptions/restore", KEYS.home_of(lane.execution), *restored),
        "subscriptions/unsubscribe": lambda: store.subscribers.unsubscribe(ALICE, "e2"),
        "subscriptions/viewed": lambda: store.subscribers.viewed("T1", "e5", soon=SOON),
    }
