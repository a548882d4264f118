"""Types for GCS's fields that accept any value: what is not as documented is read as well as possible, or is unknown.

Lives here: the annotated types that the tables are made of. Does not live here: what a value means (`bot.gcs.values`),
which field has which type (`bot.gcs.tables`, the only caller).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetPydanticSchema
from pydantic_core import CoreSchema, core_schema

from bot.gcs import values


def lenient(read: Callable[[Any], Any], documented: CoreSchema | None = None) -> GetPydanticSchema:
    """Let pydantic take a documented value as it is; any other goes through `read` first, which costs more."""

    def schema(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        kind = handler(source)
        lenient = core_schema.no_info_before_validator_function(read, kind)
        return core_schema.union_schema([documented or kind, lenient], mode="left_to_right")

    return GetPydanticSchema(schema)


def named(key: str) -> Callable[[Any], Any]:
    """Read an object, or a bare text as an object that has it under `key`; anything else is unknown."""

    def read(value: Any) -> Any:
        text = values.plain(value)
        return value if isinstance(value, dict) else {key: text} if text.strip() else None

    return read


def _object_or_none(value: Any) -> Any:
    return value if isinstance(value, dict) else None


def _to_list(value: Any) -> list[Any]:
    """Read a list of steps or a map from name to step: the reference leaves it open."""
    if isinstance(value, dict):
        return [_node(entry, name) for name, entry in value.items()]
    return [_node(entry) for entry in value] if isinstance(value, list) else []


def _node(entry: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(entry, dict):
        text = values.plain(entry)
        return {"name": name, "status": text} if name else {"name": text}
    return {**entry, "name": values.plain(entry.get("name")) or name}


T = TypeVar("T")
_TEXT = core_schema.str_schema(strict=True)
Text = Annotated[str, lenient(values.plain, _TEXT)]
Prose = Annotated[str, lenient(values.prose, _TEXT)]
Id = Annotated[str, lenient(lambda value: value if isinstance(value, str) else "", _TEXT)]
Whole = Annotated[
    int | None, lenient(values.whole, core_schema.int_schema(strict=True, ge=-values.EXACT, le=values.EXACT))
]
Number = Annotated[float | None, lenient(values.number, core_schema.float_schema(strict=True, allow_inf_nan=False))]
Maybe = Annotated[T | None, lenient(_object_or_none)]
Map = Annotated[dict[str, T], lenient(values.pairs)]
Several = Annotated[list[T], lenient(_to_list)]
