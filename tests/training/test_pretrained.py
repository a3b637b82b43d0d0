"""Embeddings that start from word vectors: where they start, what is trained of them, and what a run remembers."""

import dataclasses
import functools
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import data
from configs import order
from data.vector_files import save_word2vec
from data.word_vectors import WordVectors
from training import epochs as training_epochs
from training import evaluate_workdir, load, run
from training.engine import init_state
from training.network import make_network, make_program
from training.pretrained import Pretrained, data_of_run, find_pretrained
from training.replicas import Replica, Training, replicas_of
from training.summary import print_summary
from training.vector_sources import load_source
from training.workdir import describe_difference

# Of the reviews' 16 words five have vectors; two words are in no review.
WORDS = ("fine", "superb", "the", "dull", "plot", "dreadful", "film")
VECTORS = WordVectors(WORDS, np.random.default_rng(0).normal(0, 3, (7, 8)).astype(np.float32))
KNOWN = {"fine", "the", "dull", "plot", "film"}


@pytest.fixture(scope="module")
def vectors_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / "vectors.txt"
    save_word2vec(path, VECTORS)
    return path


@pytest.fixture
def pretrained(config, vectors_file):
    """The small run, from vectors."""
    config = config.copy_and_resolve_references()
    config.model.pretrained = str(vectors_file)
    return config


@pytest.fixture
def frozen(pretrained):
    pretrained.model.pretrained_mode = "frozen"
    pretrained.optimizer.weight_decay = 1.0
    return pretrained


def make_training(config, num_replicas=3):
    return Training(config, data.load(config.task, config.data), num_replicas)


def start_of(config, dataset):
    """The state of two replicas before their first step, as `Training.start` makes it, but without its program."""
    network = make_network(config, dataset.spec)
    program = make_program(config, network, dataset.spec, len(dataset.splits["train"]))
    init = jax.vmap(functools.partial(init_state, program=program))
    state = init(jnp.arange(2, dtype=jnp.uint32), jnp.full(2, 0.01))
    return find_pretrained(config, dataset).place(state, config.model.embedding_scale, program)


def table_of(state):
    """The tables of all replicas, [replicas, rows, d], with the rows that are not trained at the end."""
    trees = [tree["embedding"] for tree in (state.params, state.fixed) if "embedding" in tree]
    parts = [tree[name][...] for name in ("table", "extra") for tree in trees if name in tree]
    return np.concatenate(parts, axis=1)


def rows_of(preprocessor):
    return preprocessor.tokenizer.get_vocab()


def by_word(table, preprocessor):
    return {word: table[..., row, :] for word, row in rows_of(preprocessor).items()}


def root_mean_square(values):
    return np.sqrt(np.mean(np.square(np.asarray(values, np.float64))))


# --- Where embeddings start ---


def test_words_start_from_their_vectors_and_all_others_as_without(config, pretrained):
    training = make_training(pretrained)
    state, without = training.start(replicas_of(pretrained)), make_training(config).start(replicas_of(config))
    found, random = (by_word(table_of(s), training.dataset.preprocessor) for s in (state, without))
    for word in found:
        if word in KNOWN:
            vector = VECTORS.vectors[VECTORS.rows[word]]
            ratio = found[word] / vector
            np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-6)  # of all words, seeds and numbers
        else:
            np.testing.assert_array_equal(found[word], random[word])
    assert root_mean_square([found[word] for word in KNOWN]) == pytest.approx(0.1)  # embedding_scale
    np.testing.assert_array_equal(table_of(state), state.best_params["embedding"]["table"][...])
    for new, old in zip(jax.tree.leaves(state.opt_state), jax.tree.leaves(without.opt_state), strict=True):
        np.testing.assert_array_equal(new, old)


def test_vectors_may_stay_as_long_as_they_are(pretrained):
    pretrained.model.pretrained_scaling = "none"
    dataset = data.load("sentiment", pretrained.data)
    found = by_word(table_of(start_of(pretrained, dataset)), dataset.preprocessor)
    for word in KNOWN:
        np.testing.assert_array_equal(found[word], np.tile(VECTORS.vectors[VECTORS.rows[word]], (2, 1)))


def test_each_vector_may_be_brought_to_the_same_length():
    vectors = np.array([[0, 0], [3, 4], [0, 2], [0, 0]], np.float32)
    each = Pretrained(np.array([False, True, True, True]), vectors, 0, True, "each")
    length = 0.1 * 2**0.5
    expected = [[0, 0], [0.6 * length, 0.8 * length], [0, length], [0, 0]]
    np.testing.assert_allclose(each.scaled(0.1), expected, rtol=1e-6)
    all_by_one = dataclasses.replace(each, scaling="all").scaled(0.1)
    np.testing.assert_allclose(all_by_one, vectors * (0.1 / np.sqrt((9 + 16 + 4) / 6)), rtol=1e-6)


def test_every_replica_has_its_own_scale(pretrained):
    training = make_training(pretrained, 2)
    state = training.start([Replica(0, 0.01, 0.5), Replica(0, 0.01, 2.0)])
    small, large = table_of(state)
    np.testing.assert_allclose(large, 4 * small, rtol=1e-5)


def test_tables_of_their_own_start_alike_in_every_slot(pretrained):
    pretrained.model.table_per_slot = True
    dataset = data.load("sentiment", pretrained.data)
    slots, rows = dataset.spec.num_slots, dataset.spec.vocab_size
    tables = table_of(start_of(pretrained, dataset)).reshape(2, slots, rows, 8)
    row = rows_of(dataset.preprocessor)["fine"]
    assert np.ptp(tables[:, :, row], axis=(0, 1)).max() == 0
    assert np.abs(tables[:, :, row]).min() > 0


def test_a_product_is_put_around_its_constant(pretrained):
    pretrained.model.combiner = "product"
    dataset = data.load("sentiment", pretrained.data)
    found = by_word(table_of(start_of(pretrained, dataset)), dataset.preprocessor)
    assert root_mean_square([found[word] for word in KNOWN]) == pytest.approx(
        0.1
    )  # 1 is added beside the table


# --- Frozen and tuned ---


def test_a_frozen_table_is_the_same_bit_for_bit_after_training_and_no_parameter(frozen, tmp_path):
    results = run(frozen, tmp_path)
    assert results["num_params"] == {"embedding": 0, "other": 8 * 2 + 2, "total": 18}
    trained, start = load(tmp_path), make_training(frozen).start(replicas_of(frozen))
    np.testing.assert_array_equal(trained.variables.fixed["embedding"]["table"][...], table_of(start))
    assert "embedding" not in trained.variables.params
    found = by_word(table_of(start), trained.preprocessor)
    assert {word for word in found if found[word].any()} == KNOWN  # all others are zero, unknown words too
    assert len({results["metrics"]["test"]["loss"]["per_seed"][seed] for seed in range(3)}) == 3


def test_a_tuned_table_is_trained_from_there(pretrained, tmp_path):
    results = run(pretrained, tmp_path)
    assert results["num_params"]["embedding"] == 18 * 8
    trained, start = load(tmp_path), make_training(pretrained).start(replicas_of(pretrained))
    moved = np.abs(trained.variables.params["embedding"]["table"][...] - table_of(start)).max(axis=(0, 2))
    words = rows_of(trained.preprocessor)
    assert all(moved[row] > 0 for word, row in words.items() if word not in ("[PAD]", "[UNK]"))


@pytest.mark.parametrize(("data_name", "mode"), [("order_grammar", "frozen"), ("pairs", "tuned")])
def test_sentences_whose_order_matters_and_pairs_of_them(tmp_path, vectors_file, data_name, mode):
    config = order.get_config("combiner=sum,data=order_grammar,smoke")
    config.data.update({"num_train": 60, "num_test": 20, "level": 1})
    if data_name == "pairs":
        lines = [f"the film {word},the plot,{label}" for word, label in [("fine", "a"), ("dull", "b")] * 20]
        (tmp_path / "pairs.csv").write_text("\n".join(["text,other,label", *lines]) + "\n")
        config.data.update({"path": str(tmp_path / "pairs.csv"), "text_b_column": "other"})
    config.model.update({"dim": 8, "pretrained": str(vectors_file), "pretrained_mode": mode})
    config.train.epochs = 1
    results = run(config, tmp_path / "run")
    assert results["pretrained"]["vocabulary"]["known"] == (5 if data_name == "pairs" else 1)
    assert (results["num_params"]["embedding"] == 0) == (mode == "frozen")


# --- What a run says and remembers ---


def test_coverage_is_counted_of_words_and_of_running_words(pretrained, tmp_path, capsys):
    text = ["text,label", *["the superb fine day,a", "no plot and no film,b"] * 10]
    (tmp_path / "few.csv").write_text("\n".join(text) + "\n")
    pretrained.data.path = pretrained.data.path_test = str(tmp_path / "few.csv")
    pretrained.data.max_length = 4  # "film" is in the vocabulary, but never read
    pretrained.train.epochs = 1
    results = run(pretrained, tmp_path / "run")
    found = results["pretrained"]
    assert found["vocabulary"] == {"known": 5, "total": 8}
    assert found["running_words"]["test"] == {"known": 40, "total": 80}  # the, superb, fine; plot
    counts = found["running_words"]["train"]
    assert counts["total"] == 72
    assert (found["mode"], found["vectors"], found["dim"]) == ("tuned", "word", 8)
    print_summary(results, tmp_path / "run")
    printed = " ".join(capsys.readouterr().out.split())
    assert "tuned: 5 of 8 words have a vector; of the running words 50.0% of train" in printed


def test_a_run_without_vectors_says_nothing_of_them(config, tmp_path):
    config = config.copy_and_resolve_references()
    config.train.epochs = 1
    assert "pretrained" not in run(config, tmp_path)
    assert not (tmp_path / "pretrained.json").exists()


def stop_after(monkeypatch, number):
    """Makes the training loop stop after some epochs, as Ctrl-C does."""
    original = training_epochs.MetricFiles.write

    def write(self, *, epoch, split, **others):
        original(self, epoch=epoch, split=split, **others)
        if epoch == number and split == "validation":
            signal_handler = training_epochs.signal.getsignal(training_epochs.signal.SIGINT)
            signal_handler(training_epochs.signal.SIGINT, None)

    monkeypatch.setattr(training_epochs.MetricFiles, "write", write)


@pytest.mark.parametrize("mode", ["tuned", "frozen"])
def test_a_resumed_run_equals_an_undisturbed_one_and_needs_no_file(pretrained, tmp_path, monkeypatch, mode):
    path = tmp_path / "vectors.bin"
    save_word2vec(path, VECTORS, binary=True)
    pretrained.model.update({"pretrained": str(path), "pretrained_mode": mode})
    pretrained.data.extra_vocabulary = str(path)
    whole = run(pretrained, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(KeyboardInterrupt, match="stopped after epoch 1"):
            run(pretrained, tmp_path / "stopped")
    path.unlink()
    resumed = run(pretrained, tmp_path / "stopped")
    for key in ("metrics", "pretrained", "num_params", "best_epoch"):
        assert resumed[key] == whole[key]


def test_before_its_first_checkpoint_a_run_is_refused_other_vectors(pretrained, tmp_path, monkeypatch):
    path = tmp_path / "vectors.bin"
    save_word2vec(path, VECTORS)
    pretrained.model.pretrained = str(path)
    with monkeypatch.context() as patch:
        patch.setattr("training.lifecycle.train_replicas", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(pretrained, tmp_path / "run")
    save_word2vec(path, WordVectors(WORDS, VECTORS.vectors + 1))
    with pytest.raises(ValueError, match=r"the vectors in .*vectors\.bin have changed since the run in"):
        run(pretrained, tmp_path / "run")
    save_word2vec(path, VECTORS)
    with monkeypatch.context() as patch:
        patch.setattr("training.lifecycle.train_replicas", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):  # welcome again
            run(pretrained, tmp_path / "run")


def test_a_finished_run_is_evaluated_and_predicts_without_the_file(frozen, tmp_path):
    path = tmp_path / "vectors.bin"
    save_word2vec(path, VECTORS)
    frozen.model.pretrained = frozen.data.extra_vocabulary = str(path)
    results = run(frozen, tmp_path / "run")
    path.unlink()
    assert evaluate_workdir(tmp_path / "run")["metrics"] == results["metrics"]["test"]
    superb, other = load(tmp_path / "run").predict(["superb", "a word that no review has"])
    assert superb.shape == (2,)
    assert np.abs(superb - other).max() > 0  # the extra word has its vector, though no review holds it


# --- Extra words ---


def test_extra_words_start_from_their_vectors_after_all_others(pretrained):
    without = data.load("sentiment", pretrained.data).preprocessor
    pretrained.data.extra_vocabulary = pretrained.model.pretrained
    dataset = data.load("sentiment", pretrained.data)
    words = sorted(rows_of(dataset.preprocessor), key=rows_of(dataset.preprocessor).get)
    assert words == [*sorted(rows_of(without), key=rows_of(without).get), "superb", "dreadful"]
    assert dataset.spec.num_extra == 2
    found = by_word(table_of(start_of(pretrained, dataset)), dataset.preprocessor)
    assert root_mean_square([found[word] for word in WORDS]) == pytest.approx(0.1)


@pytest.mark.parametrize("mode", ["tuned", "frozen"])
def test_rows_that_no_training_text_looks_up_keep_their_vectors_and_are_no_parameters(
    pretrained, tmp_path, mode
):
    pretrained.optimizer.weight_decay = 10.0
    pretrained.data.extra_vocabulary = pretrained.model.pretrained
    pretrained.model.pretrained_mode = mode
    results = run(pretrained, tmp_path)
    assert results["num_params"]["embedding"] == (18 * 8 if mode == "tuned" else 0)
    trained, start = load(tmp_path), start_of(pretrained, data.load("sentiment", pretrained.data))
    before, after = table_of(start)[0], np.asarray(trained.model(0).embedding.slot_table(0))
    np.testing.assert_array_equal(before[18:], after[18:])
    assert np.abs(before[18:]).min() > 0
    assert (before[:18] == after[:18]).all() == (mode == "frozen")


def test_without_vectors_extra_words_are_zero_and_all_else_is_as_without_them(config, pretrained):
    extended = config.copy_and_resolve_references()
    extended.data.extra_vocabulary = pretrained.model.pretrained
    first, second = (table_of(make_training(c).start(replicas_of(c))) for c in (config, extended))
    np.testing.assert_array_equal(second, np.pad(first, [(0, 0), (0, 2), (0, 0)]))


def test_a_run_keeps_the_vocabulary_that_it_began_with(config, vectors_file, tmp_path):
    config = config.copy_and_resolve_references()
    assert data_of_run(config, tmp_path) is config.data
    config.data.update({"extra_vocabulary": str(vectors_file), "max_extra_words": 2})
    assert data_of_run(config, tmp_path) is config.data  # nothing began there
    dataset = data.load(config.task, config.data)
    dataset.preprocessor.save(tmp_path / "preprocessor.json")
    again = data.load(config.task, data_of_run(config, tmp_path))
    assert rows_of(again.preprocessor) == rows_of(dataset.preprocessor)
    assert "superb" in rows_of(again.preprocessor)
    assert "dreadful" not in rows_of(again.preprocessor)  # the sixth word of the file


def test_the_embeddings_of_a_run_on_texts_are_word_vectors(config, tmp_path):
    results = run(config, tmp_path / "first")
    assert results["best_epoch"]
    source = load_source(str(tmp_path / "first"))
    trained = load(tmp_path / "first")
    table = trained.variables.params["embedding"]["table"][0]
    assert "[PAD]" not in source.words
    np.testing.assert_array_equal(source.vectors, table[2:])
    second = config.copy_and_resolve_references()
    second.model.pretrained = str(tmp_path / "first")
    second.model.pretrained_scaling = "none"
    state = start_of(second, data.load("sentiment", second.data))
    np.testing.assert_array_equal(table_of(state)[1, 2:], table[2:])


# --- What is refused ---


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"model.dim": 12},
            "has vectors of 8 numbers, but embeddings of 'sum' have 12 (model.match=width, model.dim=12); what fits is "
            "model.dim=8",
        ),
        (
            {"model.combiner": "concat"},
            "has vectors of 8 numbers, but embeddings of 'concat' have 1 (model.match=width, model.dim=8); what fits "
            "is model.match=embed with model.dim=8",
        ),
        ({"model.pretrained_vectors": "context"}, "has one vector for a word, not 'context'"),
        ({"model.pretrained_vectors": "wrod"}, "unknown word vectors 'wrod' (did you mean 'word'?)"),
        (
            {"model.pretrained_scaling": "ech"},
            "unknown model.pretrained_scaling 'ech' (did you mean 'each'?)",
        ),
        ({"model.pretrained_mode": "fixed"}, "model.pretrained_mode must be tuned or frozen, got 'fixed'"),
        (
            {"model.pretrained": "", "model.pretrained_mode": "frozen"},
            "model.pretrained_mode=frozen needs the vectors to keep",
        ),
        ({"data.max_extra_words": -1}, "data.max_extra_words: expected 0 (no limit) or more, found -1"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(pretrained, tmp_path, fields, message):
    pretrained.update_from_flattened_dict(fields)
    with pytest.raises(ValueError, match=re.escape(message)):
        run(pretrained, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("aaa 1 2 3 4 5 6 7 8\n", "none of the 16 words has a vector in it"),
        ("the 0 0 0 0 0 0 0 0\n", "all vectors of the words are zero"),
    ],
)
def test_vectors_that_are_of_no_use_are_refused(pretrained, tmp_path, content, message):
    path = tmp_path / "vectors.txt"
    path.write_text(content)
    pretrained.model.pretrained = str(path)
    with pytest.raises(ValueError, match=message):
        find_pretrained(pretrained, data.load("sentiment", pretrained.data))


# --- Runs from before ---


def test_a_run_from_before_there_were_vectors_is_of_the_same_config(config):
    now = config.to_dict()
    before = json.loads(json.dumps(now))
    for section, name in [("data", "extra_vocabulary"), ("data", "max_extra_words")]:
        del before[section][name]
    for name in [name for name in before["model"] if name.startswith("pretrained")]:
        del before["model"][name]
    assert describe_difference(before, now) == ""
    assert describe_difference({"sentiment": {"base": before}}, {"sentiment": {"base": now}}) == ""
    now["model"]["pretrained"] = "glove.txt"
    assert describe_difference(before, now) == "model.pretrained: '' there, 'glove.txt' now"
