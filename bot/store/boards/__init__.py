"""The boards of channels. The Lua scripts are beside the Python that runs them."""

from bot.store.boards.boards import Boards, Post

__all__ = ["Boards", "Post"]
