"""What the data tests share: a complete `config.data`."""

import ml_collections
import pytest

_DEFAULTS = {
    "name": "rotten_tomatoes",
    "path": "",
    "path_validation": "",
    "path_test": "",
    "text_column": "text",
    "label_column": "label",
    "id_column": "",
    "dir": "",
    "min_count": 1,
    "max_vocab": 0,
    "max_length": 64,
    "weights": "",
    "split_seed": 0,
    "train_fraction": 1.0,
}


@pytest.fixture(scope="session")
def make_config():
    """Returns a function from overrides to a `config.data`."""

    def make(**overrides):
        assert set(overrides) <= set(_DEFAULTS)
        return ml_collections.ConfigDict(
            {**_DEFAULTS, **{k: str(v) if k.startswith("path") else v for k, v in overrides.items()}}
        )

    return make


_TABLE_DEFAULTS = {
    "name": "movielens_small",
    "path": "",
    "path_validation": "",
    "path_test": "",
    "dir": "",
    "split_seed": 0,
    "train_fraction": 1.0,
    "target": "",
    "target_type": "auto",
    "target_transform": "",
    "categorical": "",
    "multi_valued": "",
    "numeric": "",
    "vectors": "",
    "id_column": "",
    "value_separator": "|",
    "min_count": 1,
    "num_bins": 16,
    "synthetic": {
        "kind": "additive",
        "num_features": 3,
        "num_values": 4,
        "effect_dim": 2,
        "num_train": 200,
        "num_validation": 50,
        "num_test": 60,
        "noise": 0.1,
        "bag_length": 5,
        "seed": 0,
    },
}


@pytest.fixture(scope="session")
def make_table_config():
    """Returns a function from overrides to a `config.data` of a table."""

    def make(**overrides):
        assert set(overrides) <= set(_TABLE_DEFAULTS)
        return ml_collections.ConfigDict(
            {**_TABLE_DEFAULTS, **{k: str(v) if k.startswith("path") else v for k, v in overrides.items()}}
        )

    return make


@pytest.fixture(scope="session")
def make_image_config():
    """Returns a function from overrides to a `config.data` of images."""

    def make(**overrides):
        fields = ("name", "path", "path_validation", "path_test", "dir", "split_seed", "train_fraction")
        assert set(overrides) <= set(fields)
        defaults = {**dict.fromkeys(fields, ""), "split_seed": 0, "train_fraction": 1.0}
        paths = {k: str(v) for k, v in overrides.items() if k.startswith("path") or k == "dir"}
        return ml_collections.ConfigDict({**defaults, **overrides, **paths})

    return make
