"""Rules: who follows which new executions. The Lua scripts are beside the Python that runs them."""

from bot.store.rules.enlisting import Enlisted, Enlisting
from bot.store.rules.rules import MOST_RULES, Rules, RulesRead

__all__ = ["MOST_RULES", "Enlisted", "Enlisting", "Rules", "RulesRead"]
