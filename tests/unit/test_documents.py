"""YAML as people mean it, and the sentences in which a closed schema says its faults."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from esmi.documents import Closed, Name, nearest, parse, read_yaml, shown
from esmi.errors import ResearchError


def read(tmp_path, text):
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


def fault_of(tmp_path, text):
    with pytest.raises(ResearchError) as raised:
        read(tmp_path, text)
    return str(raised.value)


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("1e3", 1000.0),
        ("-1.5e-3", -0.0015),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0", 0),
        ("+7", 7),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        (".a", ".a"),
        (".inf", ".inf"),
        ("2021-11-18", "2021-11-18"),
        ('"1"', "1"),
    ],
)
def test_scalars_mean_what_they_look_like(tmp_path, written, meant):
    value = read(tmp_path, f"key: {written}\n")["key"]
    assert value == meant
    assert type(value) is type(meant)


def test_keys_may_be_numbers_and_the_words_yes_and_no(tmp_path):
    assert read(tmp_path, "{1: one, -9: missing, 1.5: half, no: n, .a: letter}") == {
        1: "one",
        -9: "missing",
        1.5: "half",
        "no": "n",
        ".a": "letter",
    }


def test_a_byte_order_mark_is_passed_over(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfkey: 1") == {"key": 1}


def test_a_merge_gives_way_to_what_is_written_beside_it(tmp_path):
    document = read(tmp_path, "base: &b {x: 1, y: 2}\nbefore: {<<: *b, x: 5}\nafter: {x: 5, <<: *b}\n")
    assert document["before"] == document["after"] == {"x": 5, "y": 2}
    assert document["base"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    "text", ["a:\n  x: 1\n  y: 2\n  x: 3\n", "a: 1\nb: 2\na: 3\n", "b: &q {x: 1}\na: {<<: *q, y: 1, y: 2}"]
)
def test_a_key_that_stands_twice_is_a_fault(tmp_path, text):
    assert "stands twice" in fault_of(tmp_path, text)


def test_the_second_of_two_equal_keys_is_the_place_that_is_named(tmp_path):
    assert "file.yaml: line 4, column 3 is not valid YAML: the key 'x' stands twice" in fault_of(
        tmp_path, "a:\n  x: 1\n  y: 2\n  x: 3\n"
    )
    assert "the key '1.0' stands twice" in fault_of(tmp_path, "1: a\n1.0: b\n")


@pytest.mark.parametrize("text", ["? [1, 2]\n: x", "true: x", "~: x"])
def test_a_key_is_a_name_or_a_number(tmp_path, text):
    assert "a key must be a name or a number" in fault_of(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "expected a mapping of keys to values at the top, found nothing"),
        ("- 1", "found a list"),
        ("words", "found a text"),
        ("3", "found a number"),
        ("true", "found true or false"),
        ("a:\n\t- b", "line 2, column 1 is not valid YAML"),
        ("a:\n\t- b", "indent with spaces, not tabs"),
        ("a: [1, 2\nb: 3", "line 2, column 2 is not valid YAML: while parsing a flow sequence, expected ',' or ']'"),
        ("a: b: c", "line 1, column 5 is not valid YAML: mapping values are not allowed here"),
        ("a: *nope", "found undefined alias 'nope'"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("a: !!python/name:os.system x", "could not determine a constructor"),
        ("a: &a {b: *a}", "recursive"),
        ("a: \x07", "it holds a character that YAML does not allow"),
        (b"a: \xe9", "cannot be read as UTF-8 text"),
    ],
)
def test_what_is_no_document_is_said_with_its_place(tmp_path, text, fault):
    message = fault_of(tmp_path, text)
    assert "file.yaml: " in message
    assert fault in message


def test_a_file_that_is_not_there_and_a_folder(tmp_path):
    with pytest.raises(ResearchError, match=r"none\.yaml: there is no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ResearchError, match="cannot be read"):
        read_yaml(tmp_path)


# --- schemas ---------------------------------------------------------------------------------------------------------


class Leaf(Closed):
    colour: Literal["red", "blue"] = "red"
    height: Annotated[float, Field(gt=0, le=10)] = 1.0
    inside: list[str] | None = Field(default=None, alias="is")


class Tree(Closed):
    name: Name
    age: Annotated[int, Field(ge=1)] = 1
    felled: bool = False
    leaves: dict[str, Leaf] = {}
    branches: list[Leaf] = []
    best: Leaf | None = None
    first_leaf: Leaf | None = Field(default=None, alias="first")
    words: list[str] | str = ""
    codes: dict[int | str, str] = {}
    pair: tuple[float, float] = (0, 1)


def sentences(**document):
    """The fault lines of a document that is sound but for these keys."""
    with pytest.raises(ResearchError) as raised:
        parse(Tree, {"name": "oak"} | document, "tree.yaml")
    title, *lines = str(raised.value).splitlines()
    assert title == f"tree.yaml: {len(lines)} fault{'s' * (len(lines) > 1)}"
    return [line.removeprefix("  - ") for line in lines]


def test_a_sound_document_and_its_aliases():
    tree = parse(Tree, {"name": "oak", "leaves": {"a": {"is": ["x"]}}}, "tree.yaml")
    assert tree.leaves["a"].inside == ["x"]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"nmae": 1}, "nmae: unknown key; did you mean 'name'?"),
        ({"leaves": {"a": {"color": "red"}}}, "leaves.a.color: unknown key; did you mean 'colour'?"),
        ({"leaves": {"a": {"iss": []}}}, "leaves.a.iss: unknown key; did you mean 'is'?"),
        ({"leaves": {"a": {"zzz": 1}}}, "leaves.a.zzz: unknown key; known here: colour, height, is"),
        ({"leaves": {"a": {"inside": []}}}, "leaves.a.inside: unknown key; known here: colour, height, is"),
        ({"branches": [{}, {"color": 1}]}, "branches.entry 2.color: unknown key; did you mean 'colour'?"),
        ({"best": {"color": "red"}}, "best.color: unknown key; did you mean 'colour'?"),
        ({"first": {"color": "red"}}, "first.color: unknown key; did you mean 'colour'?"),
        ({"leaves": {"a": {"colour": "green"}}}, "leaves.a.colour: found 'green'; allowed: 'red' or 'blue'"),
        ({"leaves": {"a": {"height": 0}}}, "leaves.a.height: found 0; allowed: more than 0"),
        ({"leaves": {"a": {"height": 11}}}, "leaves.a.height: found 11; allowed: 10 or less"),
        ({"leaves": {"a": {"height": "nan"}}}, "leaves.a.height: found 'nan'; allowed: a number"),
        ({"leaves": {"a": 3}}, "leaves.a: found 3; allowed: a mapping of keys to values"),
        ({"leaves": ["a"]}, "leaves: found a list; allowed: a mapping of keys to values"),
        ({"branches": {"a": 1}}, "branches: found a mapping; allowed: a list, written [a, b]"),
        ({"age": 0}, "age: found 0; allowed: 1 or more"),
        ({"age": "old"}, "age: found 'old'; allowed: a whole number"),
        ({"age": 1.5}, "age: found 1.5; allowed: a whole number"),
        ({"age": None}, "age: found nothing; allowed: a whole number"),
        ({"felled": "perhaps"}, "felled: found 'perhaps'; allowed: true or false"),
        ({"codes": {1: 2}}, "codes.1: found 2; allowed: a text, in quotation marks"),
        ({"codes": {1: False}}, "codes.1: found false; allowed: a text, in quotation marks"),
        ({"codes": {1: []}}, "codes.1: found an empty list; allowed: a text"),
        ({"pair": [1]}, "pair: found a list; allowed: a list with more entries"),
        ({"pair": [1, 2, 3]}, "pair: found a list; allowed: no more than 2 entries"),
        ({"pair": [1, "b"]}, "pair.entry 2: found 'b'; allowed: a number"),
        ({"name": "Oak"}, "name: found 'Oak'; allowed: up to 32 lower-case letters, digits and _, a letter first"),
        ({"name": "oak\n"}, r"name: found 'oak\n'; allowed: up to 32 lower-case letters"),
        ({"name": "o" * 33}, "name: found 'ooooo"),
    ],
)
def test_a_sentence_names_the_key_what_is_there_and_what_is_allowed(document, sentence):
    (found,) = sentences(**document)
    assert found.startswith(sentence)


def test_a_key_that_is_needed():
    with pytest.raises(ResearchError, match=r"tree.yaml: 1 fault\n  - name: this key is needed and is not there$"):
        parse(Tree, {}, "tree.yaml")
    with pytest.raises(ResearchError, match="the document: found a list; allowed: a mapping"):
        parse(Tree, ["oak"], "tree.yaml")


def test_the_alternatives_of_one_key_are_one_sentence_without_inner_names():
    assert sentences(words=5) == ["words: found 5; allowed: a list, written [a, b] or a text, in quotation marks"]
    assert sentences(codes={"a": 1}) == ["codes.a: found 1; allowed: a text, in quotation marks"]
    assert sentences(words=["a", 5]) == [
        "words.entry 2: found 5; allowed: a text, in quotation marks",
        "words: found a list; allowed: a text",
    ]


def test_all_faults_come_at_once():
    assert len(sentences(age=0, felled="x", branches=[{"colour": 1}, {"color": "red", "height": -1}], extra=1)) == 6


def test_a_long_value_and_a_long_key_are_cut():
    canary = "secret" * 50
    for document in ({"age": canary}, {"name": canary}, {"leaves": {"a": {"colour": canary}}}, {canary: 1}):
        (found,) = sentences(**document)
        assert found.count("secret") < 8
    assert shown("x" * 40) == repr("x" * 40)
    assert shown("x" * 41) == repr("x" * 39 + "…")
    assert shown(["secret"]) == "a list"
    assert len(shown(10**60)) == 40


def test_the_nearest_name_or_the_few_that_there_are():
    assert nearest("ctq_totl", ["ctq_total", "cas_total"]) == "; did you mean 'ctq_total'?"
    assert nearest("zzz", ["b", "a"]) == "; known here: a, b"
    assert nearest("zzz", []) == ""
    assert nearest("zzz", [f"name_{i}" for i in range(13)]) == ""
