"""YAML as people mean it, and closed schemas whose faults are said all at once in plain words."""

import difflib
import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, StrictStr, ValidationError

from esmi.errors import ResearchError, listed


class Closed(BaseModel):
    """A part of a document: no unknown keys, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Document = TypeVar("Document", bound=BaseModel)

_LONGEST = 40


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", text):
        raise ValueError(f"found {shown(text)}; allowed: up to 32 lower-case letters, digits and _, a letter first")
    return text


Name = Annotated[StrictStr, AfterValidator(_name)]


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars: only true and false are booleans (`no` is a level's name), 1e3 is a number, no dates."""

    yaml_implicit_resolvers = {}


_NULL, _BOOL, _INT, _FLOAT, _MERGE = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "merge"))
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
    written: list = []
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, bool) or not isinstance(key, str | int | float):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a name or a number", key_node.start_mark)
        if key in written:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' stands twice", key_node.start_mark)
        written.append(key)
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
        place = f"line {mark.line + 1}, column {mark.column + 1} is" if mark else "is"
        said = ", ".join(part for part in (error.context, error.problem) if part)
        said += "; indent with spaces, not tabs" if r"'\t'" in said else ""
        raise ResearchError(f"{path}: {place} not valid YAML: {said}") from None
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
        raise listed(where, _sentences(model, document, error)) from None


def nearest(name: str, known: Any) -> str:
    """', did you mean X?' with the nearest known name, or the known names where none is near and they are few."""
    names = sorted(str(k) for k in known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known here: {', '.join(names)}" if 0 < len(names) <= 12 else ""


def shown(value: Any) -> str:
    """A value as a message shows it: a short scalar as it is, a long one cut, anything else by its kind."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value}"[:_LONGEST]
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…")
    return _kind(value)


def _kind(value: Any) -> str:
    match value:
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case str():
            return "a text"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case None:
            return "nothing"
        case _:
            return "something else"


def _sentences(model: type[BaseModel], document: Any, error: ValidationError) -> list[str]:
    """A sentence for every key with a fault; the alternatives that pydantic tries for one key make one sentence."""
    faults: dict[tuple, list[dict]] = {}
    for fault in error.errors():
        faults.setdefault(_path(document, fault), []).append(fault)
    return [_sentence(model, document, path, found) for path, found in faults.items()]


def _path(document: Any, fault: dict) -> tuple:
    """The keys that lead to a fault; pydantic's own names for what it tried on the way are left out."""
    path, here = (), document
    for part in fault["loc"]:
        if (isinstance(here, dict) and part in here) or (isinstance(here, list) and part in range(len(here))):
            path, here = (*path, part), here[part]
    if fault["type"] == "missing" and isinstance(fault["loc"][-1], str):
        path = (*path, fault["loc"][-1])
    return path


def _key(document: Any, path: tuple) -> str:
    """A path in words; the entries of a list are counted from 1."""
    words, here = [], document
    for part in path:
        words.append(f"entry {part + 1}" if isinstance(here, list) else str(part)[:_LONGEST])
        here = here.get(part) if isinstance(here, dict) else here[part]
    return ".".join(words)


def _sentence(model: type[BaseModel], document: Any, path: tuple, faults: list[dict]) -> str:
    key, fault = _key(document, path) or "the document", faults[0]
    match fault["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key{nearest(path[-1], _keys_at(model, path[:-1]))}"
        case "missing" if isinstance(fault["loc"][-1], str):
            return f"{key}: this key is needed and is not there"
        case "value_error":
            message = str(fault["ctx"]["error"])
            return f"{key}: {message}" if path else message
        case _:
            allowed = " or ".join(dict.fromkeys(_allowed(fault) for fault in faults))
            return f"{key}: found {shown(fault['input'])}; allowed: {allowed}"


def _allowed(fault: dict) -> str:
    """What a researcher may write there, in words; pydantic's own where there are none for it here."""
    context = fault.get("ctx", {})
    match fault["type"]:
        case "string_type":
            return "a text, in quotation marks" if isinstance(fault["input"], int | float) else "a text"
        case "int_type" | "int_parsing" | "int_from_float":
            return "a whole number"
        case "float_type" | "float_parsing" | "finite_number":
            return "a number"
        case "bool_type" | "bool_parsing":
            return "true or false"
        case "list_type" | "tuple_type":
            return "a list, written [a, b]"
        case "dict_type" | "model_type" | "mapping_type":
            return "a mapping of keys to values"
        case "literal_error":
            return context["expected"]
        case "greater_than_equal":
            return f"{context['ge']:.10g} or more"
        case "greater_than":
            return f"more than {context['gt']:.10g}"
        case "less_than_equal":
            return f"{context['le']:.10g} or less"
        case "less_than":
            return f"less than {context['lt']:.10g}"
        case "too_short":
            return f"{context['min_length']} or more entries"
        case "too_long":
            return f"no more than {context['max_length']} entries"
        case "missing":
            return "a list with more entries"
        case _:
            return fault["msg"][0].lower() + fault["msg"][1:]


def _keys_at(model: type[BaseModel], path: tuple) -> list[str]:
    """The keys that a model allows at a path into a document."""
    annotation: Any = model
    for part in path:
        annotation = next((inner for choice in _choices(annotation) if (inner := _inside(choice, part))), None)
    return [
        field.alias or name
        for choice in _choices(annotation)
        if isinstance(choice, type) and issubclass(choice, BaseModel)
        for name, field in choice.model_fields.items()
    ]


def _choices(annotation: Any) -> list:
    """The alternatives of a type, each without its annotations."""
    if get_origin(annotation) is Annotated:
        return _choices(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [choice for one in get_args(annotation) for choice in _choices(one)]
    return [annotation]


def _inside(annotation: Any, part: Any) -> Any:
    """The type of what stands at one key of a mapping, or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return next((f.annotation for name, f in annotation.model_fields.items() if part == (f.alias or name)), None)
    arguments = get_args(annotation)
    return (arguments[1] if get_origin(annotation) is dict else arguments[0]) if arguments else None
