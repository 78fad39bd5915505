"""Params from files: every format is streamed, and each error has its place."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import booleans, dictionaries, floats, integers, lists, none, recursive, text

from background_jobs.cli import json_array
from background_jobs.cli.params_file import STANDARD_INPUT, Format, InvalidParamsFile, ParamsFile
from background_jobs.core.errors import InvalidParams
from background_jobs.core.payloads import params_line


@pytest.mark.parametrize(
    ("name", "text", "params"),
    [
        ("p.jsonl", '{"a": 1}\n\n{"a": [2]}', [{"a": 1}, {"a": [2]}]),
        ("p.NDJSON", '{"a": 1}\r\n', [{"a": 1}]),
        ("p.jsonl", '\ufeff{"a": "ümlaut"}\n', [{"a": "ümlaut"}]),
        ("p.jsonl", "", []),
        ("p.json", '[{"a": 1.5},\n {"item": [{}]}]', [{"a": 1.5}, {"item": [{}]}]),
        ("p.json", "[]", []),
        ("p.json", '\ufeff [ {"a": "ümlaut"} ]\r\n', [{"a": "ümlaut"}]),
        ("p.json", f'[{{"n": [{2**63}, {-(10**30)}, 1.0]}}]', [{"n": [2**63, -(10**30), 1.0]}]),
        ("p.json", r'[{"a": "\ud83d\ude00 \\ud800"}]', [{"a": "\U0001f600 \\ud800"}]),
        ("p.csv", "name,n\nacme,1\n\n", [{"name": "acme", "n": "1"}]),
        ("p.csv", "name;n\n\n1,5;2\n", [{"name": "1,5", "n": "2"}]),
        ("p.tsv", 'name\tn\r\n"a\tb"\t1\r\n', [{"name": "a\tb", "n": "1"}]),
        ("p.csv", '"name, first",n\na,1\n', [{"name, first": "a", "n": "1"}]),
        ("p.csv", "\nname\na;b\n", [{"name": "a;b"}]),
        ("p.csv", f"name\n{'x' * 200_000}\n", [{"name": "x" * 200_000}]),
        ("p.csv", '\ufeffname,n\r\n"a, ""b""\r\nc",\r\n', [{"name": 'a, "b"\r\nc', "n": ""}]),
    ],
)
def test_params_are_read_as_their_files_name_says(
    tmp_path: Path, name: str, text: str, params: list[Any]
) -> None:
    (tmp_path / name).write_bytes(text.encode())
    file = ParamsFile(tmp_path / name)
    assert (list(file), file.count) == (params, len(params))


@pytest.mark.parametrize(
    ("name", "text", "place", "reason"),
    [
        ("p.jsonl", '{"a": 1}\n\n{"a": }\n', "line 3", "not JSON: Expecting value at column 7"),
        ("p.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', "line 2", "not UTF-8"),
        ("p.jsonl", "[" * 100_000, "line 1", "not JSON that can be read"),
        ("p.json", '[{"a": 1},\n{"a": 2},\n{b: 3}]', "index 2", "not JSON"),
        ("p.json", '[{"a": 1}', "index 1", "not JSON"),
        ("p.json", "", "index 0", "empty"),
        ("p.json", " \n", "index 0", "empty"),
        ("p.json", '[{"a": 1}\n\n{"a": 2}]', "line 3, index 1", "not JSON: a comma is missing"),
        ("p.json", '[{"a": 1},\n]', "line 2, index 1", "not JSON: a comma stands before the end"),
        ("p.json", '[{"a": 1}]\n[]', "line 2, index 1", "not JSON: something follows the array"),
        ("p.json", '[{"a": 1, "b": 2, "a": 3}]', "line 1, index 0", "not JSON that can be read: the key 'a'"),
        (
            "p.jsonl",
            '{"a": {"b": 1, "b": 1}}',
            "line 1",
            "not JSON that can be read: the key 'b' comes twice",
        ),
        ("p.json", '[{"a": "b]', "line 1, index 0", "not JSON: Unterminated string"),
        ("p.json", b'[{"a": "\xff"}]', "line 1, index 0", "not UTF-8"),
        ("p.json", "[" * 100_000, "line 1, index 0", "not JSON that can be read"),
        ("p.json", '[{"a": 1}]'.encode("utf-16"), "p.json", "its text is UTF-16"),
        ("p.jsonl", '{"a": 1}'.encode("utf-16-le"), "p.jsonl", "its text is UTF-16"),
        ("p.csv", "a;b,c\n", "line 1", "the header row has commas and semicolons"),
        ("p.csv", "a|b\n1|2\n", "line 1", "the columns are separated by '|'"),
        ("p.csv", f"a\n{'x' * 2_000_000}\n", "line 2", "not CSV: field larger"),
        ("p.json", '{"item": {"a": 1}}', "line 1, index 0", "not an array; add --format jsonl"),
        ("p.csv", "a,b\n1,2\n1,2,3\n", "line 3", "3 fields under a header row of 2"),
        ("p.csv", 'a,b\n1,"2\n', "line 2", "not CSV"),
        ("p.csv", "a,a\n1,2\n", "line 1", "not a header row"),
        ("p.csv", "a,\n1,2\n", "line 1", "not a header row"),
        ("p.csv", "", "p.csv", "not a header row"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(
    tmp_path: Path, name: str, text: str | bytes, place: str, reason: str
) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidParamsFile) as refused:
        list(ParamsFile(tmp_path / name))
    assert refused.value.place.endswith(place)
    assert refused.value.reason.startswith(reason)
    assert str(refused.value).endswith(". Nothing was started.")


def test_a_name_that_tells_no_format_is_refused_unless_one_is_given(tmp_path: Path) -> None:
    (tmp_path / "params.txt").write_text('{"a": 1}\n')
    with pytest.raises(InvalidParamsFile, match=r"params\.txt: its name does not tell .* --format"):
        ParamsFile(tmp_path / "params.txt")
    assert list(ParamsFile(tmp_path / "params.txt", Format.JSONL)) == [{"a": 1}]


@pytest.mark.parametrize("text", ['{"a": 1}\n{"a": 2}\n', ' \n[{"a": 1}, {"a": 2}]'])
def test_standard_input_tells_an_array_from_objects_a_line(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.encode()))))
    assert list(ParamsFile(STANDARD_INPUT)) == [{"a": 1}, {"a": 2}]


def test_standard_input_without_a_byte_is_no_set_of_params(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was piped in has failed, more often than it has written that there is nothing to do."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b""))))
    with pytest.raises(InvalidParamsFile, match=r"standard input: it is empty.* Nothing was started"):
        list(ParamsFile(STANDARD_INPUT))


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_params_are_handed_on_before_the_rest_is_read(tmp_path: Path, suffix: str) -> None:
    # given a file whose end is broken, far behind its beginning
    rows = 50_000
    text = {
        "jsonl": '{"a": "1"}\n' * rows + "{",
        "json": "[" + '{"a": "1"},' * rows + "{",
        "csv": "a\n" + "1\n" * rows + "1,2\n",
    }[suffix]
    (tmp_path / f"p.{suffix}").write_text(text)
    file = ParamsFile(tmp_path / f"p.{suffix}")

    # then the params before it are read, each with its line
    params = iter(file)
    assert [next(params) for _ in range(3)] == [{"a": "1"}] * 3
    assert file.place.endswith({"jsonl": "line 3", "json": "index 2", "csv": "line 4"}[suffix])
    with pytest.raises(InvalidParamsFile):
        list(params)
    assert file.count == rows


def test_a_number_is_the_same_in_every_format(tmp_path: Path) -> None:
    numbers = [0.1, 1e300, -3, 2**62]
    (tmp_path / "p.json").write_text(json.dumps([{"n": numbers}]))
    (tmp_path / "p.jsonl").write_text(json.dumps({"n": numbers}))
    assert list(ParamsFile(tmp_path / "p.json")) == list(ParamsFile(tmp_path / "p.jsonl"))


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_half_a_surrogate_is_handed_on_for_the_kick_off_to_refuse(tmp_path: Path, suffix: str) -> None:
    line = r'{"a": "\ud800"}'
    (tmp_path / f"p.{suffix}").write_text(f"[{line}]" if suffix == "json" else line)
    (params,) = ParamsFile(tmp_path / f"p.{suffix}")
    with pytest.raises(InvalidParams, match="cannot be written as JSON"):
        params_line(0, params)


@given(
    documents=lists(
        recursive(
            none() | booleans() | integers() | floats(allow_nan=False) | text(),
            lambda inner: lists(inner, max_size=3) | dictionaries(text(), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=5,
    ),
    bytes_at_once=integers(1, 40),
    indent=none() | integers(0, 2),
    ensure_ascii=booleans(),
)
def test_an_array_is_read_as_a_whole_document_would_be_wherever_its_pieces_end(
    documents: list[Any], bytes_at_once: int, indent: int | None, *, ensure_ascii: bool
) -> None:
    document = json.dumps(documents, indent=indent, ensure_ascii=ensure_ascii).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "_CHUNK_BYTES", bytes_at_once)
        values = [item.value for item in json_array.ArrayReader(io.BytesIO(document))]
    assert repr(values) == repr(json.loads(document))
