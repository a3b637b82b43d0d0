"""A user's table is read as it is, and what is wrong with it is named by file and line."""

import csv
import gzip
import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import read_table

ROWS = [{"text": "good film", "label": "pos"}, {"text": 'a\nbad, "film"', "label": "neg"}]


def _write_delimited(path, delimiter, open_=open):
    with open_(path, "wt", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "label"], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)


def _write(path):
    if path.name.endswith((".csv", ".tsv")):
        _write_delimited(path, "," if path.suffix == ".csv" else "\t")
    elif path.name.endswith((".csv.gz", ".tsv.gz")):
        _write_delimited(path, "," if ".csv" in path.name else "\t", gzip.open)
    elif path.suffix == ".parquet":
        pd.DataFrame(ROWS).to_parquet(path)
    else:
        content = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize(
    "name",
    ["a.csv", "a.tsv", "a.jsonl", "a.ndjson", "a.parquet", "a.csv.gz", "a.tsv.gz", "a.jsonl.gz", "A.CSV"],
)
def test_every_kind_holds_the_same_table(tmp_path, name):
    path = tmp_path / name
    _write(path) if name != "A.CSV" else _write_delimited(path, ",")
    table = read_table(path)
    assert len(table) == 2
    assert {k: list(v) for k, v in table.columns.items()} == {
        "text": [row["text"] for row in ROWS],
        "label": ["pos", "neg"],
    }


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_what_the_csv_module_wrote_comes_back(tmp_path_factory, rows):
    rows = [[cell.replace("\x00", "0") for cell in row] for row in rows]
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text", "label"], *rows])
    table = read_table(path)
    assert [list(row) for row in zip(table.columns["text"], table.columns["label"], strict=True)] == rows


def test_words_for_missing_values_stay_texts(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\nNA,null\nnan,None\n1e5,007\n")
    assert list(read_table(path).columns["text"]) == ["NA", "nan", "1e5"]
    assert list(read_table(path).columns["label"]) == ["null", "None", "007"]


def test_an_empty_csv_field_is_missing_and_an_empty_json_text_is_not(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n,pos\n")
    (tmp_path / "a.jsonl").write_text('{"text": "", "label": "pos"}\n{"label": "neg"}\n')
    assert list(read_table(tmp_path / "a.csv").columns["text"]) == [None]
    assert list(read_table(tmp_path / "a.jsonl").columns["text"]) == ["", None]


def test_where_is_the_line_an_editor_shows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"one\ntwo",pos\n\nthree,neg\n')
    table = read_table(path)
    assert [table.where(0), table.where(1)] == [f"{path}, line 2", f"{path}, line 5"]


def test_a_byte_order_mark_and_a_long_document_are_no_obstacle(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\ufefftext,label\n" + "word " * 50_000 + ",pos\n", encoding="utf-8")
    limit = csv.field_size_limit()
    assert len(read_table(path).column("text", "data.text_column")[0]) == 250_000
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "a.csv: the file is empty"),
        ("a.csv", b"\n\n", "a.csv: the file is empty"),
        ("a.csv", b"text,label\n", "a.csv: the file is empty, expected at least one row"),
        ("a.jsonl", b"\n", "a.jsonl: the file is empty, expected at least one row"),
        (
            "a.cvs",
            b"text",
            r"a.cvs: unknown extension '.cvs' \(did you mean '.csv'\?\); expected one of .csv, .tsv",
        ),
        ("a.parquet.gz", b"text", "unknown extension '.parquet.gz'"),
        ("a.csv", b"text,label\na,b\nc,d,e\n", "a.csv, line 3: malformed row: expected 2 fields.*found 3"),
        ("a.csv", b'text,label\n"a\nb",c\nd\n', "a.csv, line 4: malformed row: expected 2 fields.*found 1"),
        ("a.csv", b'text,label\na,b\n"c,d\n', "a.csv, line 3: malformed CSV row"),
        ("a.csv", b'text,label\n"a" b,c\n', "a.csv, line 2: malformed CSV row"),
        ("a.csv", b"text,text\na,b\n", "a.csv, line 1: the header has column 'text' more than once"),
        ("a.csv", b"text,label\na,b\n\xff,c\n", "a.csv, line 3: byte 0xff is not UTF-8"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "a.jsonl, line 2: malformed JSON"),
        (
            "a.jsonl",
            b'{"text": "a"}\n\n["b"]\n',
            r"a.jsonl, line 3: malformed row: expected a JSON object.*\[\"b\"\]",
        ),
        ("a.csv.gz", b"text,label\n", "a.csv.gz: not a whole gzip file"),
        ("a.csv.gz", gzip.compress(b"text,label\n" * 99, mtime=0)[:30], "a.csv.gz: not a whole gzip file"),
        ("a.parquet", b"text,label\n", "a.parquet: not a Parquet file"),
    ],
)
def test_a_malformed_file_is_one_line_naming_the_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_table(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_missing_file_names_its_nearest_neighbour(tmp_path):
    (tmp_path / "reviews.csv").write_text("text,label\n")
    with pytest.raises(FileNotFoundError, match=r"review.csv: no such file \(did you mean 'reviews.csv'\?\)"):
        read_table(tmp_path / "review.csv")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_table(tmp_path / "nowhere" / "a.csv")


def test_a_missing_column_shows_those_there_are(tmp_path):
    (tmp_path / "a.csv").write_text("Text,label\na,b\n")
    with pytest.raises(
        ValueError,
        match=r"no column 'text' \(data.text_column\) \(did you mean 'Text'\?\); found columns 'Text', 'label'",
    ):
        read_table(tmp_path / "a.csv").column("text", "data.text_column")
