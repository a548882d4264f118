"""Our errors for the client's: what is wrong with the store, in words for its operator.

Lives here: the servers' own words and ours. Does not live here: what is run again after an error (`connection`). Called
by `connection`.
"""

from __future__ import annotations

from redis.exceptions import RedisClusterException, RedisError, ResponseError

from bot.errors import StoreFull, StoreReadOnly, StoreUnavailable

CLOSED = (RuntimeError, TypeError, AttributeError)
"""What is raised when a connection is closed just before a command is written. By the server: uvloop raises the first,
asyncio before Python 3.13.6 the second (https://github.com/python/cpython/issues/136234). By ourselves, because a
cluster has changed: redis-py raises the third, since it has no writer any more."""

CLIENT_ERRORS = (RedisError, RedisClusterException, OSError, *CLOSED)
"""What the client raises."""

_REASONS = {
    "OOM ": "the store is full; give it more memory (maxmemory)",
    "READONLY ": "the store takes no writes: it is a replica",
    "NOREPLICAS ": "the store takes no writes: too few of its replicas are there",
    "MISCONF ": "the store takes no writes: it cannot write to its disk",
    "NOAUTH ": "the store wants a password",
    "invalid username-password": "the store refuses the user or the password",
    "NOPERM ": "the store's user may not do what the bot must",
    "ACL failure ": "the store's user may not do what the bot must",  # the same in a script, from Redis 7 on
    "can't run this command": "the store's user may not do what the bot must",  # and in Redis 7.0
    "DB index": "the store has no database of that number",
    "LOADING ": "the store is still loading its data",
    "CLUSTERDOWN ": "the store's cluster is not whole",
    "ASK ": "this part of the store is moving to another node",
}
"""What servers say is wrong, and what we say."""

_KINDS = {"OOM ": StoreFull, "READONLY ": StoreReadOnly, "NOREPLICAS ": StoreReadOnly, "MISCONF ": StoreReadOnly}
"""What servers say that has an error class of its own."""


def kind_of(error: Exception) -> str:
    """A label for the client's error, one of a few: the server's own word, or the sort of failure."""
    text = f"{getattr(error, 'status_code', None) or ''} {error}"
    word = next((word for word in _REASONS if word in text), "")
    if word:
        return word.strip().lower().replace(" ", "_").replace("-", "_")
    return "refused" if isinstance(error, ResponseError) else "no_answer"


def unavailable(error: Exception) -> StoreUnavailable:
    """The client's error as one of ours, which says what is wrong."""
    text = f"{getattr(error, 'status_code', None) or ''} {error}"
    other = "the store refuses a command" if isinstance(error, ResponseError) else "the store does not answer"
    word = next((word for word in _REASONS if word in text), "")
    kind = _KINDS.get(word, StoreUnavailable)
    return kind(_REASONS.get(word, other), f"{type(error).__name__}: {error}")
