"""A finder of new executions beside the rig's workers, and rules that people make."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from bot.domain.following import Level, Rule, RuleKind
from bot.rules import RuleMade
from bot.workers.sweeper import Finder
from sandbox.story import Life
from tests.workers.rig import Rig, ample

WORKFLOW = "germline-wgs"
"""What the sandbox's lives run."""


@dataclass
class RulesRig:
    """One finder; its clock moves when a test moves it."""

    rig: Rig
    most: int = 200
    now: float = 0.0
    finder: Finder = field(init=False)

    def __post_init__(self) -> None:
        self.finder = self.copy()

    def copy(self) -> Finder:
        """The finder of another copy of the bot, or of one that was started again."""
        store = self.rig.store
        return Finder(
            self.rig.client,
            store.rules,
            store.enlisting,
            quota=ample(store),
            most=self.most,
            clock=lambda: self.now,
        )

    async def make(
        self,
        name: str,
        *values: str,
        kind: RuleKind = RuleKind.WORKFLOW,
        level: Level | None = None,
    ) -> RuleMade:
        """`name` follows new runs of the workflow, or what `values` say."""
        self.rig.subscriptions.rules._searches._results.clear()
        return await self.rig.subscriptions.rules.make(
            self.rig.who(name), kind, values or (WORKFLOW,), level=level, owner=self.rig.alice
        )

    async def scan(self, finder: Finder | None = None) -> None:
        """Let a minute pass, and a finder scan the newest executions."""
        for key in self.rig.redis.scan_iter("*:scan"):
            self.rig.redis.delete(key)
        await (finder or self.finder).run_once()

    async def found(self, life: Life, *, to: str | None = None) -> str:
        """Begin a run, have it found, and poll it for the first time."""
        execution_id = self.rig.gcs.play(life, by_hand=True)
        if to:
            self.rig.gcs.step(execution_id, to=to)
        await self.scan()
        await self.rig.poll()
        return execution_id

    async def rules(self, name: str) -> tuple[Rule, ...]:
        """The rules of `name` that have not ended."""
        return await self.rig.store.rules.of(self.rig.who(name))

    async def change(self, name: str, **fields: object) -> None:
        """Give the rules of `name` other values, as time would."""
        for rule in await self.rules(name):
            await self.rig.store.rules.change(rule.subscriber, rule.id, lambda known: replace(known, **fields))

    async def followed(self, name: str) -> dict[str, Level]:
        """What `name` follows, and at which level."""
        items = (await self.rig.subscriptions.of(self.rig.who(name))).items
        return {subscription.execution_id: subscription.level for subscription, _ in items}

    async def ended(self, name: str) -> None:
        """Have Alice end the rules of `name`, and everything delivered."""
        for rule in await self.rules(name):
            await self.rig.subscriptions.rules.end(rule.subscriber, rule.id, by=self.rig.alice)
        await self.rig.deliver()
        await self.rig.later(times=2)
