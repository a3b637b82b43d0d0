"""Runs of word vectors from a text file to results.json: what they learn, resume, evaluation, and bad input."""

import itertools
import json

import numpy as np
import pytest

import training
from configs import skip_gram as skip_gram_config
from data import word_pairs
from training import progress

TOPICS = {"fruit": ["apple", "pear", "plum", "cherry"], "tool": ["hammer", "saw", "drill", "file"]}


@pytest.fixture(scope="session")
def corpus_txt(tmp_path_factory):
    """3,000 sentences, each of words of one topic and words that are everywhere."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(3000):
        topic = TOPICS[("fruit", "tool")[number % 2]]
        words = [*rng.choice(topic, 4), *rng.choice(["the", "a", "of"], 3)]
        lines.append(" ".join(rng.permutation(words)))
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def config(corpus_txt):
    """Two seeds, two epochs of three rounds; judgements that two words of one topic are alike. Copy it to change it."""
    pairs = [f"{a},{b},1" for words in TOPICS.values() for a, b in itertools.pairwise(words)]
    pairs += [f"{a},{b},0" for a, b in zip(*TOPICS.values(), strict=True)]
    judged = corpus_txt.parent / "judged.csv"
    judged.write_text("\n".join(pairs) + "\n")
    config = skip_gram_config.get_config()
    config.seeds = (0, 1)
    config.data.update({"path": str(corpus_txt), "dir": str(corpus_txt.parent), "subsample": 0.0})
    config.data.word_pairs = (str(judged),)
    config.model.update({"dim": 8, "window": 3, "block": 8, "noise": 8})
    config.train.update({"step_words": 256, "round_words": 8000, "epochs": 2, "checkpoint_seconds": 0.0})
    return config


def copy_of(config, **overrides):
    copy = config.copy_and_resolve_references()
    for field, value in overrides.items():
        section, name = field.split("_", 1)
        copy[section][name] = value
    return copy


@pytest.fixture(scope="session")
def trained(config, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("words") / "run"
    return workdir, training.run(config, workdir)


def same_topic_share(centre):
    """How often a word's nearest by cosine is of its own topic."""
    names = [word for words in TOPICS.values() for word in words]
    unit = centre / np.linalg.norm(centre, axis=1, keepdims=True)
    cosine = unit @ unit.T - 2 * np.eye(len(names))
    return np.mean(cosine.argmax(1) // 4 == np.arange(8) // 4)


def topic_vectors(words, vectors):
    return vectors[[words.index(word) for topic in TOPICS.values() for word in topic]]


def test_words_of_one_topic_come_to_lie_together(trained):
    words = training.load_words(trained[0])
    assert words.centre.shape == words.context.shape == (2, 11, 8)
    for centre in words.centre:
        assert same_topic_share(topic_vectors(words.words, centre)) == 1
    assert trained[1]["metrics"]["test"]["judged"]["mean"] > 0.8


@pytest.mark.parametrize(
    "overrides",
    [
        {"model_objective": "cbow", "model_combiner": "mean"},
        {"model_objective": "cbow", "model_combiner": "attention"},
        {"model_loss": "softmax"},
        {"optimizer_name": "sgd", "optimizer_learning_rate": 0.05, "optimizer_max_repeats": 1.0},
    ],
    ids=["cbow_mean", "cbow_attention", "softmax", "sgd"],
)
def test_every_form_learns_the_topics(config, tmp_path, overrides):
    config = copy_of(config, train_epochs=4, **overrides)
    training.run(config, tmp_path / "run")
    words = training.load_words(tmp_path / "run")
    for centre in words.centre:
        assert same_topic_share(topic_vectors(words.words, centre)) >= 0.75


def test_the_files_of_a_run_say_what_happened(config, trained):
    workdir, results = trained
    assert json.loads((workdir / "results.json").read_text()) == json.loads(json.dumps(results))
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == pytest.approx(np.arange(1, 7) / 3)
    losses = np.asarray([line["loss"] for line in lines])
    assert losses.shape == (6, 2)
    assert (losses[-1] < losses[0]).all()
    assert results["num_params"]["embedding"] == 2 * 11 * 8
    assert results["num_examples"] == {"train": 21_000}
    assert not (workdir / "checkpoints" / "resume").exists()


def test_evaluation_gives_the_numbers_of_training_exactly(config, trained):
    workdir, results = trained
    assert training.evaluate_workdir(workdir)["metrics"] == results["metrics"]["test"]
    path = config.data.word_pairs[0]
    assert training.evaluate_workdir(workdir, path=path)["metrics"] == results["metrics"]["test"]
    with pytest.raises(ValueError, match=r"unknown split 'tets' \(did you mean 'test'\?\)"):
        training.evaluate_workdir(workdir, "tets")
    with pytest.raises(ValueError, match="predict nothing"):
        training.evaluate_workdir(workdir, predictions=workdir / "out.csv")


def test_an_interrupted_run_goes_on_to_the_same_vectors(config, trained, tmp_path, monkeypatch):
    shown = progress.WordProgress.advance

    def interrupt(self, rounds, metrics):
        if rounds == 4:
            raise KeyboardInterrupt
        shown(self, rounds, metrics)

    monkeypatch.setattr(progress.WordProgress, "advance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.run(config, tmp_path / "run")
    monkeypatch.undo()
    assert (tmp_path / "run" / "checkpoints" / "resume" / "3").exists()
    training.run(config, tmp_path / "run")
    undisturbed, resumed = (training.load_words(path) for path in (trained[0], tmp_path / "run"))
    np.testing.assert_array_equal(resumed.centre, undisturbed.centre)
    np.testing.assert_array_equal(resumed.context, undisturbed.context)
    metrics = [(path / "metrics.jsonl").read_text() for path in (trained[0], tmp_path / "run")]
    assert metrics[0] == metrics[1]


def test_a_seed_alone_comes_to_what_it_comes_to_in_company(config, trained, tmp_path):
    alone = copy_of(config)
    alone.seeds = (1,)
    training.run(alone, tmp_path / "run")
    together = training.load_words(trained[0]).centre[1]
    np.testing.assert_allclose(training.load_words(tmp_path / "run").centre[0], together, atol=1e-4)


def test_replicas_side_by_side_come_to_the_same(config, trained, tmp_path):
    training.run(copy_of(config, engine_replicas="vmap"), tmp_path / "run")
    side_by_side = training.load_words(tmp_path / "run").centre
    np.testing.assert_allclose(side_by_side, training.load_words(trained[0]).centre, atol=1e-4)


def test_a_changed_text_is_not_trained_on_further(config, corpus_txt, tmp_path, monkeypatch):
    own = tmp_path / "own.txt"
    own.write_text(corpus_txt.read_text())
    config = copy_of(config, data_path=str(own), data_dir=str(tmp_path))
    monkeypatch.setattr(progress.WordProgress, "advance", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        training.run(config, tmp_path / "run")
    own.write_text(corpus_txt.read_text() + "one more apple and pear\n")
    with pytest.raises(ValueError, match=r"the text of own.txt has changed since the run in .* began"):
        training.run(config, tmp_path / "run")


def test_vectors_are_kept_where_nobody_judged_their_words(config, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("maison,villa,9\nchat,chien,7\n")
    copy = copy_of(config, train_epochs=1)
    copy.data.word_pairs = (str(other),)
    assert training.run(copy, tmp_path / "run")["metrics"] == {"test": {}, "validation": {}}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model_objective": "skipgram"}, r"model.objective must be skip_gram or cbow, got 'skipgram'"),
        ({"model_loss": "hinge"}, r"model.loss must be negative_sampling or softmax, got 'hinge'"),
        ({"optimizer_name": "adam"}, r"optimizer.name must be adagrad or sgd, got 'adam'"),
        ({"model_window": 0}, r"model.window must be positive, got 0"),
        ({"model_window": 8}, r"model.block must be more than model.window, got 8 and 8"),
        (
            {"train_step_words": 100},
            r"train.step_words must be a multiple of model.block \* model.noise_blocks = 32",
        ),
        ({"optimizer_learning_rate": float("nan")}, r"optimizer.learning_rate must be a finite number"),
        (
            {"model_objective": "cbow", "model_combiner": "summ"},
            r"unknown combiner 'summ' \(did you mean 'sum'",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_is_written(config, tmp_path, overrides, message):
    with pytest.raises(ValueError, match=message):
        training.run(copy_of(config, **overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_divergence_names_the_seed_and_the_step(config, tmp_path):
    with pytest.raises(ArithmeticError, match=r"seed 0 diverged at step \d+: .*train.step_words"):
        training.run(copy_of(config, optimizer_name="sgd", optimizer_learning_rate=1e30), tmp_path / "run")


def test_a_run_of_another_task_holds_no_word_vectors(tmp_path):
    with pytest.raises(ValueError, match="holds no finished run"):
        training.load_words(tmp_path)


def test_the_judgements_that_settings_are_chosen_on_are_the_validation_split():
    assert word_pairs.VALIDATION_PAIRS == "mturk"
