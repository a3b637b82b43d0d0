"""A review data set small enough to train on in a second, and a config for it."""

import ml_collections
import numpy as np
import pytest

from configs import sentiment


@pytest.fixture(scope="session")
def reviews_csv(tmp_path_factory):
    """Writes 240 reviews of 1 to 12 words; a good one holds more good words than bad ones."""
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "warm", "great", "fun"], "bad": ["dull", "cold", "awful", "flat"]}
    filler = ["the", "film", "a", "plot", "is", "and", "scene", "story"]
    lines = ["text,label"]
    for row in range(240):
        label = ("good", "bad")[row % 2]
        text = [*rng.choice(words[label], 1 + row % 3), *rng.choice(filler, rng.integers(0, 9))]
        lines.append(f"{' '.join(rng.permutation(text))},{label}")
    path = tmp_path_factory.mktemp("reviews") / "reviews.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def config(reviews_csv) -> ml_collections.ConfigDict:
    """A sum of eight-dimensional embeddings, three seeds, three epochs; copy it before changing it."""
    config = sentiment.get_config("combiner=sum")
    config.seeds = (0, 1, 2)
    config.data.path = str(reviews_csv)
    config.model.dim = 8
    config.model.dropout = 0.2
    config.model.word_dropout = 0.1
    config.optimizer.update(
        {"name": "adam", "learning_rate": 0.01, "weight_decay": 0.0, "schedule": "constant"}
    )
    config.model.embedding_scale = 0.1
    config.train.epochs = 3
    config.train.batch_size = 32
    config.train.length_buckets = 1
    return config
