"""What a person's Home tab shows. The Lua scripts are beside the Python that runs them."""

from bot.store.homes.homes import Homes

__all__ = ["Homes"]
