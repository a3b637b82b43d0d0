"""A fitted preprocessor encodes new texts, on any machine, as it encoded its training split."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import TextSpec, load_preprocessor
from data.examples import checked_examples
from data.text_preprocessor import TextPreprocessor

TRAIN = ["a good film", "a bad film", "good good"]


def fit(texts=TRAIN, *, max_length=64, weights="", id_column=""):
    examples = checked_examples(texts, ["pos"] * len(texts), None, None, str)
    return TextPreprocessor.fit(
        examples,
        ("neg", "pos"),
        min_count=1,
        max_vocab=0,
        max_length=max_length,
        weights=weights,
        text_column="text",
        label_column="label",
        id_column=id_column,
    )


def test_rows_are_ids_then_padding():
    split = fit().encode(["a good film", "good unseen", "", "\t"])
    # good 3 times; a and film twice, by alphabet; bad once
    np.testing.assert_array_equal(split.inputs["tokens"], [[3, 2, 4], [2, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert split.inputs["tokens"].dtype == np.int32
    assert set(split.inputs) == {"tokens"}
    assert split.targets is None
    assert list(split.ids) == ["0", "1", "2", "3"]
    assert list(split.texts) == ["a good film", "good unseen", "", "\t"]
    assert len(split) == 4


@given(st.lists(st.text(), max_size=6), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_padding_stands_at_the_end_and_rows_keep_to_the_spec(texts, max_length):
    preprocessor = fit([*TRAIN, "one two three four five six"], max_length=max_length)
    tokens = preprocessor.encode(texts).inputs["tokens"]
    assert tokens.shape == (len(texts), max_length) == (len(texts), preprocessor.spec.num_slots)
    assert np.all((tokens[:, 1:] == 0) | (tokens[:, :-1] != 0))
    assert np.all((tokens >= 0) & (tokens < preprocessor.spec.vocab_size))


def test_rows_are_as_long_as_the_longest_training_text():
    assert fit().spec == TextSpec(num_slots=3, vocab_size=6, classes=("neg", "pos"))
    assert fit().encode(["a good film and more"]).inputs["tokens"].shape == (1, 3)


def test_mappings_carry_label_and_id():
    rows = [{"text": "a", "label": "pos", "name": "x", "more": 1}, {"text": "b", "label": "neg", "name": 7}]
    split = fit(id_column="name").encode(rows)
    assert split.targets.dtype == np.int32
    assert split.targets.tolist() == [1, 0]
    assert list(split.ids) == ["x", "7"]


def test_spec_survives_json():
    spec = fit().spec
    assert TextSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize("weights", ["", "idf"])
def test_saved_and_loaded_in_another_process_encodes_the_same(tmp_path, weights):
    preprocessor, path = fit(weights=weights), tmp_path / "preprocessor.json"
    preprocessor.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["preprocessor.json"]
    texts = ["good UNSEEN film", "[PAD] bad"]
    code = (
        "import sys, json, data\n"
        "split = data.load_preprocessor(sys.argv[1]).encode(json.loads(sys.argv[2]))\n"
        "print(json.dumps({k: v.tolist() for k, v in split.inputs.items()}))\n"
        "assert 'tensorflow_datasets' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path, json.dumps(texts)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {k: v.tolist() for k, v in preprocessor.encode(texts).inputs.items()}
    loaded = load_preprocessor(path)
    assert loaded.spec == preprocessor.spec
    assert (loaded.text_column, loaded.label_column, loaded.weights) == ("text", "label", weights)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "preprocessor.json"
    fit().save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        fit(weights="idf").save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["preprocessor.json"]


@pytest.mark.parametrize("content", ["", "[]", '{"format": "other"}'])
def test_another_file_is_no_preprocessor(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match=r"a.json: not a saved preprocessor"):
        load_preprocessor(tmp_path / "a.json")


def test_idf_weights_follow_the_tokens():
    inputs = fit(weights="idf").encode(["film unseen"]).inputs
    assert inputs["weights"].dtype == np.float32
    expected = [np.log(4 / 3) + 1, np.log(4) + 1, 0]  # "film" in 2 of 3 texts, an unknown word in 0, padding
    np.testing.assert_allclose(inputs["weights"], [expected], rtol=1e-6)


@pytest.mark.parametrize("cell", ["[1, 2.5]", "1 2.5", [1, 2.5], np.array([1, 2.5])])
def test_a_column_of_weights_has_one_number_per_word(cell):
    inputs = fit(weights="w").encode([{"text": "good film", "w": cell}]).inputs
    np.testing.assert_array_equal(inputs["weights"], np.float32([[1, 2.5, 0]]))


def test_weights_are_cut_with_their_text_and_an_empty_text_needs_none():
    rows = [{"text": "a good film", "w": "1 2 3"}, {"text": "", "w": ""}, {"text": " ", "w": None}]
    inputs = fit(weights="w", max_length=2).encode(rows).inputs
    np.testing.assert_array_equal(inputs["weights"], [[1, 2], [0, 0], [0, 0]])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"text": "a", "label": "pso"},
            r"row 1: label 'pso' is not a class.*did you mean 'pos'\?.*'neg', 'pos'",
        ),
        ({"text": "a"}, "row 1: the label is missing"),
        ({"text": "a", "label": " "}, "row 1: the label is missing"),
        ({"text": "a", "label": float("nan")}, "row 1: the label is missing"),
        ({"text": "a", "label": 0.5}, "row 1: expected a label of text or a whole number, found 0.5"),
        ({"text": None, "label": "pos"}, "row 1: the text is missing"),
        ({"text": float("nan"), "label": "pos"}, "row 1: the text is missing"),
        ({"text": 3, "label": "pos"}, "row 1: expected a text, found 3 of type int"),
        ({"text": "\ud800", "label": "pos"}, "row 1: the text is not valid Unicode"),
        ({"review": "a", "label": "pos"}, "row 1: no 'text'; found 'review', 'label'"),
    ],
)
def test_a_wrong_row_is_named(row, message):
    with pytest.raises(ValueError, match=message):
        fit().encode([{"text": "a", "label": "pos"}, row])


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1", "row 0: column 'w' has 1 weights, but the text has 2 words"),
        (None, "row 0: column 'w' has 0 weights, but the text has 2 words"),
        ("1 x", "row 0: column 'w': expected a JSON list or numbers between spaces, found '1 x'"),
        ("[1, 2", "row 0: column 'w': expected a JSON list"),
        ("1 nan", "row 0: column 'w': expected finite weights"),
        ([1, float("inf")], "row 0: column 'w': expected finite weights"),
    ],
)
def test_wrong_weights_are_named(cell, message):
    with pytest.raises(ValueError, match=message):
        fit(weights="w").encode([{"text": "good film", "w": cell}])


def test_max_length_is_checked():
    with pytest.raises(ValueError, match=r"data.max_length: expected at least 1, found 0"):
        fit(max_length=0)


def test_a_file_is_read_labelled_or_not(tmp_path):
    (tmp_path / "labelled.csv").write_text("label,text\npos,good film\nneg,bad\n")
    (tmp_path / "unlabelled.jsonl").write_text('{"text": "good film"}\n')
    assert fit().read(tmp_path / "labelled.csv", {}).targets.tolist() == [1, 0]
    assert fit().read(tmp_path / "unlabelled.jsonl", {}).targets is None


def test_a_file_with_other_column_names(tmp_path):
    (tmp_path / "a.csv").write_text("review,stars,key\ngood film,pos,k1\n")
    with pytest.raises(ValueError, match=r"a.csv: no column 'text'"):
        fit().read(tmp_path / "a.csv", {})
    split = fit().read(
        tmp_path / "a.csv", {"text_column": "review", "label_column": "stars", "id_column": "key"}
    )
    assert (split.targets.tolist(), list(split.ids)) == ([1], ["k1"])


def test_a_strange_label_in_a_file_names_the_line(tmp_path):
    (tmp_path / "a.csv").write_text('text,label\n"good\nfilm",pos\nbad,ngative\n')
    with pytest.raises(ValueError, match=r"a.csv, line 4: label 'ngative' is not a class"):
        fit().read(tmp_path / "a.csv", {})
