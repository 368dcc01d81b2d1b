"""YAML files: what is said when they are wrong."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from reeltune.config import Config, load_yaml, parse, parse_yaml
from reeltune.errors import ConfigError

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: \x07", "exp.yaml:1: the character U+0007 cannot stand in YAML"),
        ("a: 1\nb: \x00", "exp.yaml:2: the character U+0000 cannot stand in YAML"),
        ("a: 1\n\tb: 2", "exp.yaml:2: not valid YAML"),
        ("a: 1\na: 2", "exp.yaml:2: the key 'a' stands twice"),
        ("a: 1\nb: " + "9" * 5000, "exp.yaml:2: the value cannot be read as int"),
        ("a: !!int x", "exp.yaml:1: the value cannot be read as int"),
        ("a: !!bool maybe", "exp.yaml:1: the value cannot be read as bool"),
        ("a: !!timestamp 2020-01-01", "exp.yaml:1: 'timestamp' is not understood here; write plain keys"),
        ("a: 1\nb: !!set {x, y}", "exp.yaml:2: 'set' is not understood"),
        ("a: !!binary aGk=", "'binary' is not understood"),
        ("a: !!python/object/apply:os.getcwd []", "'python/object/apply:os.getcwd' is not understood"),
        ("a: !kind {x: 1}", "'!kind' is not understood"),
        ("a: !!map [1]", "'map' is not understood"),
        ("a: &a {b: 1}\nc:\n  <<: *a", "exp.yaml:3: 'merge' is not understood"),
        ("a: =", "'value' is not understood"),
        ('a: "\\ud800"', "exp.yaml:1: half a character"),
        ("- " * 5000 + "1", "exp.yaml: more than 50 levels"),
        ("a: &a [*a]", "exp.yaml:1: more than 50 levels"),
        ("a: &a {b: *a}", "exp.yaml:1: more than 50 levels"),
        ("a: " + "{b: " * 2000 + "}" * 2000, "exp.yaml: more than 50 levels"),
        (LAUGHS, "100000 values"),
        ("- a", "expected keys and values at the top, found list"),
    ],
)
def test_what_is_no_yaml_is_told_in_one_line(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "exp.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", "é".encode("latin-1")])
def test_a_file_that_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / "exp.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        load_yaml(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_yaml(tmp_path)


class Several(Config):
    value: int | str


def test_a_value_of_no_allowed_type_is_told_once():
    with pytest.raises(ConfigError) as caught:
        parse(Several, parse_yaml("value: 1.5", "exp.yaml"))
    assert str(caught.value) == (
        "exp.yaml:1: value: Input should be a valid integer or a valid string (given: 1.5)"
    )


class Narrow(Config):
    name: Literal["narrow"]
    width: int


class Tall(Config):
    name: Literal["tall"]
    height: int


class Holder(Config):
    shape: Annotated[Narrow | Tall, Field(discriminator="name")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "shape:\n  name: tall\n  height: 1\n  heigth: 2",
            "exp.yaml:4: unknown key 'shape.heigth': did you mean 'height'? Known: height, name",
        ),
        (
            "shape:\n  name: narrow\n  width: x",
            "exp.yaml:3: shape.width: Input should be a valid integer (given: 'x')",
        ),
        ("shape:\n  name: tall", "exp.yaml:1: the key 'shape.height' is missing"),
    ],
)
def test_errors_in_a_chosen_class_name_its_own_keys_and_lines(text, message):
    with pytest.raises(ConfigError) as caught:
        parse(Holder, parse_yaml(text, "exp.yaml"))
    assert str(caught.value) == message


def test_numbers_are_decimal_or_text():
    text = "a: 10\nb: 010\nc: 08\nd: 1e-4\ne: 0.5\nf: -0\ng: .5e1"
    assert parse_yaml(text, "exp.yaml").value == {
        "a": 10, "b": "010", "c": "08", "d": 1e-4, "e": 0.5, "f": 0, "g": 5.0
    }  # fmt: skip
