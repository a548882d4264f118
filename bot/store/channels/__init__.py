"""What is known of channels. The Lua scripts are beside the Python that runs them."""

from bot.store.channels.channels import Channels

__all__ = ["Channels"]
