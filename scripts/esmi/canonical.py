"""One text for one meaning: how settings reach the jobs that depend on them."""

import json
import re
from typing import Any

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def canonical(value: Any) -> str:
    """One text for one meaning, as JSON: a change of it is a change of what is computed.

    Keys of a plain dict are sorted, so that the order in a file never counts; a model keeps its own order, in which
    levels and bands have their meaning.
    """
    return json.dumps(_plain(value), ensure_ascii=False)


def in_order(value: Any) -> str:
    """As `canonical`, for a document in which the order of keys has a meaning throughout."""
    return json.dumps(_as_written(value), ensure_ascii=False)


def from_canonical(text: str) -> Any:
    """What `canonical` was given, as plain dicts, lists and scalars; keys that were numbers are numbers again."""
    return json.loads(text, object_pairs_hook=lambda pairs: {_key_of(key): value for key, value in pairs})


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return _as_written(value.model_dump(mode="python", by_alias=True, exclude_defaults=True))
    if isinstance(value, dict):
        return {_text_of(key): _plain(value[key]) for key in sorted(value, key=_text_of)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _as_written(value: Any) -> Any:
    if isinstance(value, dict):
        return {_text_of(key): _as_written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_written(item) for item in value]
    return value


def _text_of(key: Any) -> str:
    """JSON has text keys only: a number is written as it is, and a text that reads as a number in quotation marks."""
    if not isinstance(key, str):
        return repr(key)
    return json.dumps(key) if _NUMBER.fullmatch(key) or key.startswith('"') else key


def _key_of(text: str) -> Any:
    if text.startswith('"'):
        return json.loads(text)
    if _NUMBER.fullmatch(text):
        return float(text) if set(text) & set(".eE") else int(text)
    return text
