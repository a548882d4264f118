"""Every key of the store, in plain sight.

Lives here: names, partitions, what each key holds and why. Does not live here: commands (the sibling modules and the
Lua scripts beside them). Called by `bot.store` only.

All keys of one execution carry one hash tag, `{p00}` … `{p15}`, so that each script touches one slot: the same code
runs on one server, on Redis with replicas and on Redis Cluster. `xb3` stands for the setting STORE_PREFIX.

| key | type | holds |
|---|---|---|
| `xb3:owner` | string | whose store it is, JSON (`owner.Owner`) |
| `xb3:{pNN}:due` | zset | execution key → when to poll next, server time in ms; while claimed: when the lease ends |
| `xb3:{pNN}:gone` | zset | those of them that dropped out of a list, and have probably ended: polled first |
| `xb3:{pNN}:expedited` | zset | those of them that are polled next: something is new, or somebody waits |
| `xb3:{pNN}:alarms` | zset | those of them for which time alone will be news → when to poll them in any case, ms |
| `xb3:{pNN}:leases` | hash | execution key → token of the worker that polls it; gone once settled |
| `xb3:{pNN}:snap:<execution key>` | string | header (`snapshots`) and the last snapshot, deflated JSON |
| `xb3:{pNN}:subs:<execution key>` | hash | `level|owner|created ms|e?|request id?|ended by?|rule?|muted?|hours?|a?` |
| `xb3:{pNN}:receipts:<execution key>` | hash | subscriber id → `channel|ts|revision|delivered_through` |
| `xb3:{pNN}:log:<execution key>` | list | what became of its changes (`log/prelude.lua`): 200 rows at most; expires |
| `xb3:{pNN}:outbox:<priority>` | zset | lane → when to deliver next, in ms; while claimed: when the lease ends |
| `xb3:{pNN}:claims` | hash | lane → `token|claimed ms|ends ms|again?|doubt ms`; outlives a crash: then in doubt |
| `xb3:{pNN}:changes:<lane>` | list | `revision|change as JSON`, oldest first; 50 at most, outcomes apart |
| `xb3:{pNN}:passed` | zset | lane → when it was not followed any more, ms: what rules do not follow again; expires |
| `xb3:{pNN}:announced:<execution key>` | string | a message about a rule was queued; expires |
| `xb3:{pNN}:caught:<execution key>` | hash | the ends that a catch-up message reports; expires once it is posted |
| `xb3:{pNN}:act:<execution key>` | string | `token|action|by|began ms|result`: the last act of a person; expires |
| `xb3:{pNN}:dead` | list | dead letters, JSON, newest first; the newest 100, gone 30 days after the last one |
| `xb3:{pNN}:clock` | string | the latest moment that the server's clock has shown when a copy checked it, ms |
| `xb3:{pNN}:probe` | string | nothing; written to see whether the store takes writes, and gone after a ms |
| `xb3:{quota:<user>}` | zset | a GCS user's calls → when they left, ms |
| `xb3:{quota:<user>}:lists` | zset | those of them that read lists |
| `xb3:{quota:<user>}:people` | zset | those of them that somebody waits for |
| `xb3:{quota:<user>}:watch` | string | polls have asked for calls in the last window; expires |
| `xb3:{quota:<user>}:pause` | string | nobody calls before this moment, ms; expires |
| `xb3:{quota:<user>}:reader:<team>` | string | name of the process that reads the lists; expires |
| `xb3:{quota:<user>}:reading` | string | `ms for which polls are left to lists|calls that these can use`; expires |
| `xb3:{slack:<team>}:next:<bucket>` | string | when the next call would leave if all left evenly, server time in µs |
| `xb3:{slack:<team>}:wait:<bucket>` | zset | lane → `priority × 10¹⁵ + arrival in 10 µs`: who waits, in order |
| `xb3:{slack:<team>}:back:<bucket>` | zset | lane → until when its place is kept, µs |
| `xb3:{slack:<team>}:pause:<method>` | string | nobody calls it before, µs; `pause:*`: nobody calls Slack |
| `xb3:{slack:<team>}:away` | string | since when Slack has not been answering, µs |
| `xb3:{slack:<team>}:probe` | string | the lane whose call finds out whether Slack answers again |
| `xb3:{brake:<account>/<team>}:on` | hash | reason → `since ms|limit|kind`: nothing ends for it at present; expires |
| `xb3:{brake:<account>/<team>}:ended:<vendor>` | zset | execution key or lane → when it ended, ms; expires |
| `xb3:{brake:<account>/<team>}:waiting:<reason>` | zset | execution key or lane → when it was to end, ms; expires |
| `xb3:{brake:<account>/<team>}:refused:<vendor>` | zset | person or channel → refused since when, ms; expires |
| `xb3:{brake:<account>/<team>}:released:<reason>` | set | those that an operator lets end; expires |
| `xb3:{rules:<account>/<team>}:rows` | hash | `<subscriber id>/<rule id>` → the rule, JSON |
| `xb3:{rules:<account>/<team>}:of:<field>` | zset | execution id → when the rule of this field found it last, ms |
| `xb3:{rules:<account>/<team>}:through` | string | executions created before that were scanned, ms |
| `xb3:{rules:<account>/<team>}:scan` | string | a copy of the bot has just begun a scan; expires |
| `xb3:{boards:<account>/<team>}:rows` | hash | `<channel>/<board id>` → the board, JSON |
| `xb3:{boards:<account>/<team>}:round` | string | a copy of the bot has just begun to draw the boards; expires |
| `xb3:channel:<team>:<channel>` | hash | `shared`, `looked`, `organisations`, `approver`, `approved`, `notified` |
| `xb3:quiet:<team>` | hash | user id → when the person wants quiet every day, JSON (`QuietHours`) |
| `xb3:language:<team>:<subscriber id>` | string | the language that a person chose, or that was chosen for a channel |
| `xb3:ends:<account>/<team>:<subscriber id>` | hash | execution id → `ended ms|how it ended, JSON`; expires |
| `xb3:level:<team>:<user id>` | string | the level of a person who names none |
| `xb3:asked:<team>:<user id>` | hash | `busy_until` and `silent_until`, ms: how much a person has asked; expires |
| `xb3:request:<team>/<digest>` | string | token of the attempt at it; expires after 10 min, for help an hour |
| `xb3:sender:<team>` | string | digest of the word by which Slack's requests name their sender |
| `xb3:{took:<account>/<team>}:of:<workflow>` | hash | `run`, `wait`, `step:…`: durations; `ends`, `good`, `marks` |
| `xb3:{took:<account>/<team>}:workflows` | zset | workflow → when a run of it ended last, ms: the last 1,000 |
| `xb3:{took:<account>/<team>}:spreads` | hash | workflow → how much its durations differ: standard deviation of ln |
| `xb3:of:<account>/<team>:<subscriber id>` | zset | execution id → subscribed at, ms; negative while that is done |

An execution key is `<account>/<team>/<execution id>`: an execution of a GCS account as a Slack workspace sees it. A
lane is `<account>/<team>/<execution id>/<subscriber id>`. A bucket is a method, or `<method>:<channel or person>`.
In a partition only logs, dead letters, acts, what was announced or passed, and the ends in posted catch-up messages
expire: each other key is deleted with the subscription or the execution that it belongs to, and `passed` forgets what
scans do not go back to any more. The record of a channel expires unless somebody has approved it. What
belongs to Slack's limits expires once it has no meaning. The history of a workflow outlives every subscription, and
expires half a year after its last run. The log of an execution outlives them too, for 30 days after its last change.

A message about a rule is a lane, too: its execution id stands for the message, which is in the snapshot. So is each
message that a board is or was, and a person's catch-up message.

What only a rule follows is not in the index `of:`, but in the places of the rule. An import enters it there, since it
may come before its rule: the score of such an entry ends with half a millisecond.

The priorities of the outbox are 0 (outcomes for people), 1 (outcomes for channels) and 2 (the rest); a lane is in one
of them, and 0 is claimed first. A claim that ends at 0 was put back in doubt: the lane keeps its time whatever happens.
An `e` marks a subscription that is ending, an `a` one that announces a success. `muted` is `ms` or `end`, `hours` are
`begin ms-end ms`, both with `!` if failures wait, too: a quiet lane is in the outbox for the end of that time, or in no
set until its execution ends.
Hash values stay under 64 bytes unless something is muted, because above that the servers store the whole hash in a form
that is four times as large. Order in `wait` is one number, not a key per priority: a lane must
find its rank among all priorities.
"""

from __future__ import annotations

from base64 import b32encode
from binascii import crc32
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from bot.domain.following import Subscriber

PREFIX = "xb3"
"""How all keys begin by default."""

PARTITIONS = 16

LONGEST_NAME = 64
"""A workflow's name with more characters is not in a key as it is."""


class Lane(NamedTuple):
    """One subscription's place in the outbox."""

    account: str
    team_id: str
    execution_id: str
    subscriber_id: str

    @classmethod
    def parse(cls, text: str) -> Lane:
        """The lane that `str()` wrote."""
        account, team_id, execution_id, subscriber_id = text.split("/")
        return cls(account, team_id, execution_id, subscriber_id)

    def __str__(self) -> str:
        return "/".join(self)

    @property
    def owner(self) -> str:
        """Whose it is: what its execution key begins with."""
        return owner_of(self.execution)

    @property
    def execution(self) -> str:
        """Its execution key."""
        return execution_key(self.account, self.team_id, self.execution_id)


def lane_of(account: str, subscriber: Subscriber, execution_id: str) -> Lane:
    """The lane of a subscription."""
    return Lane(account, subscriber.team_id, execution_id, subscriber.id)


def execution_key(account: str, team_id: str, execution_id: str) -> str:
    """The key of one execution of a GCS account as one workspace sees it."""
    return f"{account}/{team_id}/{execution_id}"


def account_id(endpoint: str, project_id: str) -> str:
    """Four characters that stand for a GCS account in keys, since each execution and each lane repeats them."""
    return b32encode(sha256(f"{endpoint} {project_id}".encode()).digest())[:4].decode().lower()


def partition_of(execution: str) -> int:
    """The partition of an execution key; must never change for a schema version."""
    return crc32(execution.encode()) % PARTITIONS


def owner_of(execution: str) -> str:
    """What an execution key begins with: the GCS account and the workspace."""
    return execution.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Keyspace:
    """The keys of one bot: `prefix` keeps them apart from those of others on the same server."""

    prefix: str = PREFIX

    def partition(self, number: int) -> str:
        """The common beginning of all keys of a partition; scripts build the rest from it."""
        return f"{self.prefix}:{{p{number:02d}}}:"

    def home_of(self, execution: str) -> str:
        """The common beginning of the keys of one execution."""
        return self.partition(partition_of(execution))

    def subscriptions_of(self, execution: str) -> str:
        """Who follows an execution, by its key."""
        return f"{self.home_of(execution)}subs:{execution}"

    def receipts_of(self, execution: str) -> str:
        """Who has which card of an execution: subscriber id → receipt."""
        return f"{self.home_of(execution)}receipts:{execution}"

    def snapshot_of(self, execution: str) -> str:
        """The last snapshot of an execution, by its key."""
        return f"{self.home_of(execution)}snap:{execution}"

    def act_on(self, execution: str) -> str:
        """The last act of a person on an execution, by its key."""
        return f"{self.home_of(execution)}act:{execution}"

    def requests_of(self, team_id: str, user_id: str) -> str:
        """How much a person has asked for lately."""
        return f"{self.prefix}:asked:{team_id}:{user_id}"

    @property
    def owner(self) -> str:
        """The owner record."""
        return f"{self.prefix}:owner"

    def executions_of(self, account: str, team_id: str, subscriber_id: str) -> str:
        """The index of what a subscriber follows in a GCS account."""
        return f"{self.prefix}:of:{account}/{team_id}:{subscriber_id}"

    def channel_of(self, team_id: str, channel_id: str) -> str:
        """What is known of a channel."""
        return f"{self.prefix}:channel:{team_id}:{channel_id}"

    def language_of(self, team_id: str, reader_id: str) -> str:
        """The language that a person or channel has chosen."""
        return f"{self.prefix}:language:{team_id}:{reader_id}"

    def quiet_hours_of(self, team_id: str) -> str:
        """When the people of a workspace want to read nothing."""
        return f"{self.prefix}:quiet:{team_id}"

    def ends_of(self, account: str, team_id: str, subscriber_id: str) -> str:
        """How executions ended that a person or channel followed."""
        return f"{self.prefix}:ends:{account}/{team_id}:{subscriber_id}"

    def level_of(self, team_id: str, user_id: str) -> str:
        """The level of a person who names none."""
        return f"{self.prefix}:level:{team_id}:{user_id}"

    def limits_of(self, team_id: str) -> str:
        """The common beginning of the keys of Slack's limits in one workspace."""
        return f"{self.prefix}:{{slack:{team_id}}}:"

    def request_of(self, team_id: str, identity: str) -> str:
        """One request of Slack; `identity` is a digest."""
        return f"{self.prefix}:request:{team_id}/{identity}"

    def sender_of(self, team_id: str) -> str:
        """By what Slack's own requests are recognised."""
        return f"{self.prefix}:sender:{team_id}"

    def history_of(self, account: str, team_id: str) -> str:
        """The common beginning of the keys of an account's history, which one slot holds."""
        return f"{self.prefix}:{{took:{account}/{team_id}}}:"

    def workflow(self, name: str) -> str:
        """What stands for a workflow in keys: its id or name, or a digest of a long one."""
        return name if len(name) <= LONGEST_NAME else sha256(name.encode()).hexdigest()[:32]

    def quota_of(self, user: str) -> str:
        """The window of a GCS user's calls. A digest, since an access key must not be in a key of the store."""
        return f"{self.prefix}:{{quota:{sha256(user.encode()).hexdigest()[:12]}}}"

    def rules_of(self, account: str, team_id: str) -> str:
        """The common beginning of the keys of an account's rules, which one slot holds."""
        return f"{self.prefix}:{{rules:{account}/{team_id}}}:"

    def boards_of(self, account: str, team_id: str) -> str:
        """The common beginning of the keys of an account's boards, which one slot holds."""
        return f"{self.prefix}:{{boards:{account}/{team_id}}}:"

    @property
    def passing(self) -> tuple[str, ...]:
        """Patterns of all keys that mean something for minutes at most: limits, and whose turn it is."""
        kinds = ("{slack:*", "{quota:*", "asked:*", "{rules:*:scan", "{boards:*:round")
        return tuple(f"{self.prefix}:{kind}" for kind in kinds)

    def brake_of(self, owner: str) -> str:
        """The common beginning of the keys of the brake on endings."""
        return f"{self.prefix}:{{brake:{owner}}}:"
