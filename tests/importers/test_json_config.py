"""config.json: real ones load, bad ones are told with their line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vram_tui.importers.json_config import MAX_CONFIG_BYTES, ConfigError, parse_object, read_config
from vram_tui.importers.source import ReadError


def test_reads_an_object(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('\ufeff{"model_type": "llama", "time_step_limit": [0.0, Infinity]}', encoding="utf-8")
    assert read_config(path) == {"model_type": "llama", "time_step_limit": [0.0, float("inf")]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("  \n ", "is empty"),
        ('{"a": 1,\n"b" 2}', "line 2, column 5"),
        ('{"a": 1', "line 1"),
        ('{"hidden_size": 1,\n\n"hidden_size": 2}', "line 1, 3: has the key hidden_size twice"),
        ('{"a": {"b": 1, "b": 1}}', "the key b twice"),
        ('{"a": 1,\n "b": NaN}', "line 2: has NaN"),
        ("[1]", "is a list"),
        ("null", "is a NoneType"),
        ('{"a":\n' + "9" * 5000 + "}", "line 2: has a number too long"),
        ('{"a":' + "[" * 100 + "]" * 100 + "}", "deeper than 64"),
        ('{"a":' * 100_000, "deeper than 64"),
        ('{"a":[' + "1," * 500_000 + "1]}", "more than 400000 values"),
        ("{" + " " * MAX_CONFIG_BYTES + "}", "at most"),
        ('{"\x1b[31m": 1, "\x1b[31m": 1}', "no JSON"),
        ('{"\\u001b[31m": 1, "\\u001b[31m": 1}', "\\x1b[31m twice"),
    ],
    ids=lambda value: value[:24] if len(value) < 60 else "long",
)
def test_faults_are_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_object(text.encode(), "config.json")
    message = str(caught.value)
    assert words in message
    assert message.startswith("config.json: ")
    assert message.isprintable()
    assert "; " in message


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(ConfigError, match="line 2: byte 8 is not UTF-8"):
        parse_object(b'{"a": 1\n\xff}', "config.json")


def test_duplicates_among_many_keys_are_found_quickly() -> None:
    text = "{" + ",".join(f'"k{number}":1' for number in range(100_000)) + ',"k7":2}'
    with pytest.raises(ConfigError, match="the key k7 twice"):
        parse_object(text.encode(), "config.json")


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="is a folder"):
        read_config(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_loads_what_json_writes(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value).encode(), "config.json") == value


@given(st.binary(max_size=60), st.integers(0, 40))
def test_damage_ends_in_a_word_or_an_answer(damage: bytes, at: int) -> None:
    raw = bytearray(b'{"hidden_size": 4096, "rope": {"factor": 8.0, "list": [1, 2]}}')
    raw[at : at + len(damage)] = damage
    try:
        assert isinstance(parse_object(bytes(raw), "config.json"), dict)
    except ConfigError as error:
        message = str(error)
    else:
        message = ""
    assert message.isprintable()
