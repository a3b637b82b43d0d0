"""Word vectors leave this project as gensim wants them."""

import numpy as np
import pytest
from gensim.models import KeyedVectors

from analysis.export import export_vectors
from configs import export_vectors as export_config
from configs import sentiment
from data.vector_files import save_word2vec
from data.word_vectors import WordVectors
from training import load, run


@pytest.fixture
def config(tmp_path):
    config = export_config.get_config()
    config.path = str(tmp_path / "vectors.txt")
    return config


@pytest.mark.parametrize("name", ["text", "binary"])
def test_gensim_loads_the_embeddings_of_a_run_on_texts(tmp_path, config, name):
    (tmp_path / "reviews.csv").write_text("text,label\n" + "a good film,1\na bad film,0\n" * 10)
    run_config = sentiment.get_config("combiner=sum,smoke")
    run_config.data.path = str(tmp_path / "reviews.csv")
    run_config.model.dim = 4
    run_config.train.epochs = 1
    run(run_config, tmp_path / "run")
    config.update({"run": str(tmp_path / "run"), "format": name})
    assert "4 words of 4 numbers" in export_vectors(config)

    vectors = KeyedVectors.load_word2vec_format(config.path, binary=name == "binary")
    trained = load(tmp_path / "run")
    table = np.asarray(trained.model(0).embedding.table[...])
    for word, row in trained.preprocessor.tokenizer.get_vocab().items():
        if word not in ("[PAD]", "[UNK]"):
            np.testing.assert_array_equal(vectors[word], table[row])


def test_a_file_of_vectors_is_converted(tmp_path, config):
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    save_word2vec(tmp_path / "old", WordVectors(("a", "b"), numbers))
    config.update({"run": str(tmp_path / "old"), "format": "binary", "path": str(tmp_path / "new.gz")})
    export_vectors(config)
    np.testing.assert_array_equal(
        KeyedVectors.load_word2vec_format(config.path, binary=True).vectors, numbers
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "the vectors of which run"),
        (
            {"run": "x", "format": "txet"},
            r"unknown format 'txet' \(did you mean 'text'\?\); known are text, binary",
        ),
        ({"run": "x", "which": "wrod"}, r"unknown word vectors 'wrod' \(did you mean 'word'\?\)"),
        ({"run": "nowhere/vectors.txt"}, "nowhere/vectors.txt: no such file"),
        ({"run": "tests"}, "tests is a folder without a run in it"),
        ({"run": "x", "path": "nowhere/vectors.txt"}, "path=nowhere/vectors.txt: there is no folder nowhere"),
        ({"run": "x", "path": "tests"}, "path=tests is a folder; expected the name of a file"),
    ],
)
def test_what_cannot_be_exported_is_refused(config, fields, message):
    config.update(fields)
    with pytest.raises((ValueError, OSError), match=message):
        export_vectors(config)


def test_its_config_takes_no_argument():
    with pytest.raises(ValueError, match="this config takes no argument, got 'smoke'"):
        export_config.get_config("smoke")
