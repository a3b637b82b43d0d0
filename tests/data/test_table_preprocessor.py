"""Rows of a table become the same arrays whatever they are read from, with what is missing or new marked."""

import csv
import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.files import Table
from data.table_columns import read_columns
from data.table_preprocessor import Gaps, TablePreprocessor, TableSpec
from data.table_roles import Roles

ROLES = Roles(
    target="price",
    categorical=("cut", "year"),
    multi_valued=("tags",),
    numeric=("carat", "depth"),
    vectors=(("carat", "depth"),),
    id_column="name",
)
ROWS = [
    {"name": "a", "cut": "fair", "year": 1999, "tags": ["x", "y"], "carat": 1.0, "depth": 60, "price": 10.0},
    {"name": "b", "cut": "good", "year": 2001, "tags": ["y"], "carat": 2.0, "depth": None, "price": 20.0},
    {"name": "c", "cut": "good", "year": None, "tags": [], "carat": 3.0, "depth": 62, "price": 30.0},
    {
        "name": "d",
        "cut": None,
        "year": 2001,
        "tags": ["z", "y", "y"],
        "carat": 6.0,
        "depth": 64,
        "price": 60.0,
    },
]


def table(rows, source="rows"):
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return Table(source, columns, range(len(rows)), "row")


def fit(rows=ROWS, roles=ROLES, classes=(), min_count=1, num_bins=16):
    columns = read_columns(table(rows), roles)
    return TablePreprocessor.fit(columns, roles, classes, min_count=min_count, num_bins=num_bins)


def assert_same(a, b):
    assert a.fingerprint() == b.fingerprint()
    assert a.inputs.keys() == b.inputs.keys()


def test_categories_are_numbered_by_falling_frequency_then_by_name():
    preprocessor = fit()
    assert preprocessor.vocabularies == {
        "cut": ("good", "fair"),
        "year": ("2001", "1999"),
        "tags": ("y", "x", "z"),
    }
    split = preprocessor.encode(ROWS)
    assert split.inputs["categories"].dtype == np.int32
    assert split.inputs["categories"].tolist() == [[3, 3], [2, 2], [2, 0], [0, 2]]
    assert [(f.name, f.num_rows, f.max_values) for f in preprocessor.spec.categorical] == [
        ("cut", 4, 1),
        ("year", 4, 1),
        ("tags", 5, 3),
    ]


def test_bags_keep_repeated_values_and_end_in_zeros():
    split = fit().encode(ROWS)
    assert split.inputs["bag_tags"].dtype == np.int32
    assert split.inputs["bag_tags"].tolist() == [[3, 2, 0], [2, 0, 0], [0, 0, 0], [4, 2, 2]]


def test_numbers_are_standardised_by_what_is_there_and_missing_ones_are_nan():
    preprocessor = fit()
    split = preprocessor.encode(ROWS)
    carat, depth = preprocessor.spec.numeric
    assert (carat.mean, carat.scale) == pytest.approx((3.0, np.sqrt(3.5)))
    assert depth.mean == pytest.approx(62.0)
    np.testing.assert_allclose(
        split.inputs["numeric"][:, 0] * carat.scale + carat.mean, [1, 2, 3, 6], rtol=1e-6
    )
    assert np.isnan(split.inputs["numeric"][:, 1]).tolist() == [False, True, False, False]
    assert preprocessor.spec.vectors == ((0, 1),)


def test_targets_and_their_scale_are_in_the_targets_own_unit():
    preprocessor = fit()
    split = preprocessor.encode(ROWS)
    assert split.targets.dtype == np.float32
    assert split.targets.tolist() == [10, 20, 30, 60]
    assert (preprocessor.spec.target_mean, preprocessor.spec.target_scale) == pytest.approx(
        (30, np.sqrt(350))
    )
    assert split.ids == ["a", "b", "c", "d"]


def test_a_log_target_is_undone_by_its_inverse():
    preprocessor = fit(roles=Roles(target="price", target_transform="log", categorical=("cut",)))
    split = preprocessor.encode(ROWS)
    np.testing.assert_allclose(split.targets, np.log([10, 20, 30, 60]), rtol=1e-6)
    np.testing.assert_allclose(preprocessor.invert_target(split.targets), [10, 20, 30, 60], rtol=1e-6)


def test_unseen_categories_longer_bags_and_missing_cells_are_encoded_and_counted():
    preprocessor = fit()
    rows = [
        {
            "cut": "ideal",
            "year": 2001.0,
            "tags": ["new", "y", "x", "z"],
            "carat": None,
            "depth": 1,
            "price": 1,
        },
        {"cut": " fair ", "year": "1999", "tags": None, "carat": 1, "depth": None, "price": 1},
    ]
    split = preprocessor.encode(rows)
    assert split.inputs["categories"].tolist() == [[1, 2], [3, 3]]
    assert split.inputs["bag_tags"].tolist() == [[1, 2, 3], [0, 0, 0]]
    roles = Roles.from_dict({**vars(ROLES), "id_column": ""})
    assert preprocessor.find_gaps(read_columns(table(rows), roles)) == {
        "cut": Gaps(unseen=1),
        "tags": Gaps(missing=1, unseen=1, cut=1),
        "carat": Gaps(missing=1),
        "depth": Gaps(missing=1),
    }


def test_rare_categories_are_as_unseen_ones():
    preprocessor = fit(min_count=2, roles=Roles(target="price", categorical=("cut", "year")))
    assert preprocessor.vocabularies == {"cut": ("good",), "year": ("2001",)}
    assert preprocessor.encode(ROWS).inputs["categories"].tolist() == [[1, 1], [2, 2], [2, 0], [0, 2]]


def test_a_bag_column_whose_bags_hold_one_value_is_still_a_bag():
    rows = [{"tags": "x", "price": 1.0}, {"tags": "y", "price": 2.0}]
    preprocessor = fit(rows, Roles(target="price", multi_valued=("tags",)))
    assert preprocessor.spec.categorical[0].max_values == 2
    split = preprocessor.encode(rows)
    assert split.inputs.keys() == {"bag_tags"}
    assert split.inputs["bag_tags"].tolist() == [[2, 0], [3, 0]]


@pytest.mark.parametrize("cell", ["x|y", " x | y |", '["x", "y"]', ["x", "y"], ("x", "y"), ["x", None, "y"]])
def test_a_bag_is_written_between_separators_or_as_a_list(cell):
    preprocessor = fit()
    row = {**ROWS[0], "tags": cell}
    assert preprocessor.encode([row]).inputs["bag_tags"].tolist() == [[3, 2, 0]]


@pytest.mark.parametrize(("cells", "expected"), [([7, "7", 7.0, " 7"], 1), ([1, True, "True", 0.5], 3)])
def test_one_category_is_written_in_several_ways(cells, expected):
    rows = [{"c": cell, "price": float(i)} for i, cell in enumerate(cells)]
    assert fit(rows, Roles(target="price", categorical=("c",))).spec.categorical[0].num_rows == 2 + expected


def test_a_constant_column_is_zero_and_has_one_edge():
    rows = [{"x": 0.1, "price": float(i)} for i in range(7)]
    preprocessor = fit(rows, Roles(target="price", numeric=("x",), vectors=(("x",),)))
    assert preprocessor.spec.numeric[0].edges == (0.0,)
    assert preprocessor.encode(rows).inputs["numeric"].tolist() == [[0.0]] * 7


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=60), st.integers(1, 16))
def test_edges_rise_strictly_from_the_least_to_the_greatest_value(numbers, num_bins):
    rows = [{"x": x, "price": float(i)} for i, x in enumerate(numbers)]
    preprocessor = fit(rows, Roles(target="price", numeric=("x",), vectors=(("x",),)), num_bins=num_bins)
    edges = np.array(preprocessor.spec.numeric[0].edges, np.float32)
    encoded = preprocessor.encode(rows).inputs["numeric"]
    assert np.all(np.diff(edges) > 0)
    assert len(edges) <= num_bins + 1
    assert (edges[0], edges[-1]) == (encoded.min(), encoded.max())


CELLS = st.one_of(st.none(), st.text(max_size=3), st.integers(-3, 3), st.booleans(), st.floats())


@given(st.lists(CELLS, min_size=3, max_size=20), st.lists(CELLS, max_size=20))
def test_any_cells_are_categories_whose_ids_are_in_range(train, test):
    rows = [{"c": cell, "price": float(i)} for i, cell in enumerate(["seen", *train])]
    preprocessor = fit(rows, Roles(target="price", categorical=("c",)))
    ids = preprocessor.encode(rows).inputs["categories"][:, 0]
    assert set(ids) - {0} == set(range(2, preprocessor.spec.categorical[0].num_rows))
    new = preprocessor.encode([{"c": cell} for cell in test]).inputs["categories"]
    assert new.shape == (len(test), 1)
    assert np.all((new >= 0) & (new < preprocessor.spec.categorical[0].num_rows))


@given(st.lists(st.lists(st.text("ab|[", min_size=1, max_size=2), max_size=4), min_size=2, max_size=12))
def test_bags_are_read_back_from_their_ids(bags):
    rows = [{"tags": bag, "price": float(i)} for i, bag in enumerate([["seen"], *bags])]
    preprocessor = fit(rows, Roles(target="price", multi_valued=("tags",)))
    names = ("", "?", *preprocessor.vocabularies["tags"])
    encoded = preprocessor.encode(rows).inputs["bag_tags"]
    assert [[names[i] for i in row if i] for row in encoded] == [["seen"], *bags]


def test_a_saved_preprocessor_encodes_the_same(tmp_path):
    preprocessor = fit()
    path = tmp_path / "preprocessor.json"
    preprocessor.save(path)
    content = json.loads(path.read_text())
    assert content["format"] == TablePreprocessor.FORMAT
    restored = TablePreprocessor.from_dict(content)
    assert restored.spec == preprocessor.spec
    assert restored.roles == ROLES
    assert_same(restored.encode(ROWS), preprocessor.encode(ROWS))
    assert TableSpec.from_dict(restored.spec.to_dict()) == preprocessor.spec


@pytest.fixture
def files(tmp_path):
    """The same rows as CSV, TSV, JSON lines and Parquet."""
    flat = [{**row, "tags": "|".join(row["tags"]) or None} for row in ROWS]
    for kind, delimiter in (("csv", ","), ("tsv", "\t")):
        with (tmp_path / f"rows.{kind}").open("w", newline="") as file:
            writer = csv.DictWriter(file, ROWS[0], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(flat)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    return tmp_path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_file_gives_the_same_arrays(files, kind):
    preprocessor = fit()
    assert_same(preprocessor.read(files / f"rows.{kind}", {}), preprocessor.encode(ROWS))


def test_a_file_without_targets_and_ids_is_numbered_and_has_none(tmp_path):
    path = tmp_path / "new.jsonl"
    new = [{k: v for k, v in row.items() if k not in ("name", "price")} for row in ROWS]
    path.write_text("".join(json.dumps(row) + "\n" for row in new))
    split = fit().read(path, {})
    assert split.targets is None
    assert split.ids == ["0", "1", "2", "3"]
    assert_same(split, fit().encode(new))


def test_a_file_may_call_its_target_and_ids_otherwise(tmp_path):
    path = tmp_path / "new.jsonl"
    path.write_text(
        "".join(json.dumps({**row, "cost": 5 * i, "key": i}) + "\n" for i, row in enumerate(ROWS))
    )
    split = fit().read(path, {"target": "cost", "id_column": "key"})
    assert split.targets.tolist() == [0, 5, 10, 15]
    assert split.ids == ["0", "1", "2", "3"]
    with pytest.raises(ValueError, match=r"no column 'coost' \(data.id_column\) \(did you mean 'cost'\?\)"):
        fit().read(path, {"id_column": "coost"})
    with pytest.raises(ValueError, match=r"data.numeric: what a run was trained on stays as it is"):
        fit().read(path, {"numeric": "carat"})


def test_targets_that_are_not_asked_for_are_not_looked_at():
    rows = [{**row, "price": "?"} for row in ROWS]
    assert fit().encode(rows, with_targets=False).targets is None
    assert len(fit().encode([])) == 0


def test_classes_are_indices_and_an_unknown_one_is_named():
    roles = Roles(target="cut", is_class=True, numeric=("carat",), vectors=(("carat",),))
    rows = [row for row in ROWS if row["cut"]]
    preprocessor = fit(rows, roles, classes=("fair", "good"))
    split = preprocessor.encode(rows)
    assert split.targets.dtype == np.int32
    assert split.targets.tolist() == [0, 1, 1]
    assert (preprocessor.spec.target_mean, preprocessor.spec.target_scale) == (0, 1)
    with pytest.raises(
        ValueError, match=r"row 1: label 'goood' .* \(did you mean 'good'\?\); expected one of"
    ):
        preprocessor.encode([rows[0], {**rows[1], "cut": "goood"}])
    with pytest.raises(ValueError, match=r"row 1: the target 'cut' is missing"):
        preprocessor.encode([rows[0], {**rows[1], "cut": " "}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"carat": "1,5"}, r"rows, row 2: column 'carat' \(data.numeric\): expected a number, found '1,5'"),
        ({"carat": [1]}, r"rows, row 2: column 'carat' \(data.numeric\): expected a number, found \[1\]"),
        (
            {"carat": float("inf")},
            r"row 2: column 'carat' \(data.numeric\): expected a finite number, found inf",
        ),
        ({"carat": "-1e39"}, r"row 2: column 'carat' .*expected a finite number, found '-1e39'"),
        ({"carat": 10**400}, r"row 2: column 'carat' .*expected a number, found 1000"),
        (
            {"cut": ["a", "b"]},
            r"row 2: column 'cut' .*expected one value, found \['a', 'b'\]; .*data.multi_valued",
        ),
        ({"tags": "['a']"}, r"row 2: column 'tags' .*between '\|' or a JSON list of them, found \"\['a'\]\""),
        ({"tags": [["a"]]}, r"row 2: column 'tags' \(data.multi_valued\): expected values between"),
        ({"tags": {"a": 1}}, r"row 2: column 'tags' \(data.multi_valued\): expected values between"),
        ({"price": None}, r"row 2: the target 'price' is missing"),
        ({"price": float("nan")}, r"row 2: the target 'price' is missing"),
        (
            {"price": "dear"},
            r"row 2: column 'price' .*found 'dear'; to predict classes set data.target_type=class",
        ),
        (
            {"price": True},
            r"row 2: column 'price' .*found True; to predict classes set data.target_type=class",
        ),
        (
            {"price": float("inf")},
            r"row 2: column 'price' \(data.target\): expected a finite number, found inf",
        ),
    ],
)
def test_a_wrong_cell_is_one_line_with_its_place(change, message):
    rows = [*ROWS[:2], {**ROWS[2], **change}]
    with pytest.raises(ValueError, match=message) as error:
        fit(rows)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"price": 3}, {}, r"rows: the target 'price' is the same in all 4 training rows \(3\)"),
        ({"cut": None}, {}, r"rows: column 'cut' is empty in all 4 training rows"),
        ({"tags": []}, {}, r"rows: column 'tags' is empty in all 4 training rows"),
        ({"depth": None}, {}, r"rows: column 'depth' is empty in all 4 training rows"),
        (
            {},
            {"min_count": 4},
            r"data.min_count: no category of column 'cut' occurs 4 times in 4 training rows",
        ),
        ({}, {"min_count": 0}, r"data.min_count: expected at least 1, found 0"),
        ({}, {"num_bins": 0}, r"data.num_bins: expected at least 1, found 0"),
    ],
)
def test_nothing_to_learn_from_is_one_line(change, options, message):
    with pytest.raises(ValueError, match=message):
        fit([{**row, **change} for row in ROWS], **options)


def test_the_log_of_what_is_not_positive_names_the_row():
    rows = [*ROWS, {**ROWS[0], "price": 0}]
    with pytest.raises(
        ValueError, match=r"row 4: the target 'price' is 0, but data.target_transform=log needs"
    ):
        fit(rows, Roles(target="price", target_transform="log", categorical=("cut",)))


def test_a_column_that_no_row_has_is_named():
    with pytest.raises(
        ValueError, match=r"rows: no column 'cut' \(data.categorical\) \(did you mean 'cuts'\?\)"
    ):
        fit().encode([{**{k: v for k, v in row.items() if k != "cut"}, "cuts": 1} for row in ROWS])
