"""YAML as people mean it, and closed schemas whose faults are said all at once in plain words."""

import difflib
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from esmi.errors import ResearchError, listed


class Closed(BaseModel):
    """A part of a document: no unknown keys, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Document = TypeVar("Document", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars: only true and false are booleans (`no` is a level's name), 1e3 is a number, no dates."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - the name and the form are the base class's


_NULL, _BOOL, _INT, _FLOAT, _MERGE = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "merge")
)
_Loader.add_implicit_resolver(_MERGE, re.compile(r"^(?:<<)$"), ["<"])
_Loader.add_implicit_resolver(_NULL, re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver(_INT, re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"),
    list("-+.0123456789"),
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    written: list = [loader.construct_object(key, deep=True) for key, _ in node.value if key.tag != _MERGE]
    for position, key in enumerate(written):
        if not isinstance(key, str | int | float):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a name or a number", node.start_mark)
        if key in written[:position]:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' stands twice", node.start_mark)
    loader.flatten_mapping(node)
    return {loader.construct_object(k, deep=True): loader.construct_object(v, deep=True) for k, v in node.value}


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> dict:
    """The mapping that a YAML file holds.

    Raises ResearchError where the file is missing, is not UTF-8, is not YAML, or holds something other than a mapping.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
    except FileNotFoundError:
        raise ResearchError(f"{path}: there is no such file") from None
    except (IsADirectoryError, PermissionError, UnicodeDecodeError) as error:
        raise ResearchError(f"{path}: cannot be read as UTF-8 text ({type(error).__name__})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ResearchError(f"{path}:{place} is not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError:
        raise ResearchError(f"{path}: is not valid YAML: it holds a character that YAML does not allow") from None
    if not isinstance(document, dict):
        raise ResearchError(f"{path}: expected a mapping of keys to values at the top, found {_kind(document)}")
    return document


def parse(model: type[Document], document: Any, where: str) -> Document:
    """The document as `model`, a closed pydantic model.

    Raises one ResearchError with all faults; each line names the key, what is there and what is allowed.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise listed(where, [_sentence(model, fault) for fault in error.errors()]) from None


def nearest(name: str, known: Any) -> str:
    """', did you mean X?' with the nearest known name, or the known names where none is near and they are few."""
    names = sorted(str(k) for k in known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known here: {', '.join(names)}" if 0 < len(names) <= 12 else ""


def _kind(value: Any) -> str:
    return {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}.get(
        type(value), "a number"
    )


def _sentence(model: type[BaseModel], fault: dict) -> str:
    path = [part for part in fault["loc"] if not (isinstance(part, str) and "[" in part)]
    key = ".".join(str(part) for part in path) or "the document"
    match fault["type"]:
        case "extra_forbidden":
            owner = _model_at(model, path[:-1])
            return f"{key}: unknown key{nearest(path[-1], owner.model_fields if owner else ())}"
        case "missing":
            return f"{key}: this key is needed and is not there"
        case "literal_error":
            return f"{key}: found '{fault['input']}', allowed: {fault['ctx']['expected'].replace(' or ', ', ')}"
        case "value_error" | "assertion_error":
            message = str(fault["ctx"]["error"]) if "ctx" in fault else fault["msg"]
            return message if key == "the document" else f"{key}: {message}"
        case _:
            found = fault["input"] if isinstance(fault["input"], str | int | float | bool) else _kind(fault["input"])
            return f"{key}: found {found!r}; {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _model_at(model: type[BaseModel], path: list) -> type[BaseModel] | None:
    """The pydantic model at a path into a document, walking through dicts and lists of models."""
    current: Any = model
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            annotation = field.annotation if field else None
        else:
            annotation = current
        current = _first_model(annotation)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _first_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = [m for m in (_first_model(a) for a in getattr(annotation, "__args__", ())) if m is not None]
    return models[0] if models else None
