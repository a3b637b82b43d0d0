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
