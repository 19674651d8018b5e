"""One text for one meaning, there and back."""

import json

import pytest
from pydantic import Field

from esmi.canonical import canonical, from_canonical, in_order
from esmi.documents import Closed


class Part(Closed):
    start: dict[str, float]
    of: str = "whole"
    from_column: str | None = Field(default=None, alias="copy")


@pytest.mark.parametrize(
    "value",
    [
        {1: "a", -9: "b", 1.5: "c", 1e22: "d", 1e-7: "e"},
        {"1": "text", "-9": "text", "1.5": "text", "1e3": "text"},
        {1: "number", "1": "text"},
        {".a": "letter", "01": "text", "1-2": "text", "": "empty"},
        {'"1"': "in quotation marks", '"': "one mark", "a\\b": "c"},
        {"nested": {"list": [{1: [2, {"3": None}]}, True, 0.1, "é"]}},
        [],
        None,
        0.1 + 0.2,
    ],
)
def test_there_and_back(value):
    back = from_canonical(canonical(value))
    assert back == value
    if isinstance(value, dict):
        assert {(type(key), key) for key in back} == {(type(key), key) for key in value}
    assert canonical(back) == canonical(value)


def test_tuples_come_back_as_lists():
    assert from_canonical(canonical({"range": (0, 4)})) == {"range": [0, 4]}


def test_the_order_of_a_plain_dict_never_counts_at_any_depth():
    one = {"b": {2: "x", "2": "y", 10: "z"}, "a": [{"d": 1, "c": 2}]}
    other = {"a": [{"c": 2, "d": 1}], "b": {10: "z", "2": "y", 2: "x"}}
    assert canonical(one) == canonical(other)
    assert canonical([1, 2]) != canonical([2, 1])
    assert canonical({"a": 1}) != canonical({"a": "1"})
    assert canonical({1: "a"}) != canonical({"1": "a"})


def test_a_model_keeps_the_order_in_which_its_levels_have_meaning():
    rising, falling = Part(start={"low": 0, "high": 5}), Part(start={"high": 5, "low": 0})
    assert canonical(rising) != canonical(falling)
    assert list(from_canonical(canonical({"x": falling}))["x"]["start"]) == ["high", "low"]


def test_a_model_is_written_with_the_names_of_the_file_and_without_defaults():
    assert json.loads(canonical(Part(start={"low": 0}))) == {"start": {"low": 0}}
    part = Part.model_validate({"start": {"low": 0}, "copy": "file.column"})
    assert from_canonical(canonical(part)) == {"start": {"low": 0}, "copy": "file.column"}
    assert Part.model_validate(from_canonical(canonical(part))) == part


def test_in_order_keeps_every_order():
    assert list(from_canonical(in_order({"b": {2: 0, 1: 0}, "a": 1}))) == ["b", "a"]
    assert list(from_canonical(in_order({"b": {2: 0, 1: 0}}))["b"]) == [2, 1]
