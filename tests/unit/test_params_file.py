"""Params from files: every format is streamed, and each error has its place."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from background_jobs.cli.params_file import STANDARD_INPUT, Format, InvalidParamsFile, ParamsFile


@pytest.mark.parametrize(
    ("name", "text", "params"),
    [
        ("p.jsonl", '{"a": 1}\n\n{"a": [2]}', [{"a": 1}, {"a": [2]}]),
        ("p.NDJSON", '{"a": 1}\r\n', [{"a": 1}]),
        ("p.jsonl", '\ufeff{"a": "ümlaut"}\n', [{"a": "ümlaut"}]),
        ("p.jsonl", "", []),
        ("p.json", '[{"a": 1.5},\n {"item": [{}]}]', [{"a": 1.5}, {"item": [{}]}]),
        ("p.json", "[]", []),
        ("p.csv", "name,n\nacme,1\n\n", [{"name": "acme", "n": "1"}]),
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
        ("p.json", "", "index 0", "not JSON"),
        ("p.json", '{"item": {"a": 1}}', "p.json", "not an array; add --format jsonl"),
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
