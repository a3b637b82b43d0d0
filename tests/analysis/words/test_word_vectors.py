"""The analysis of a skip-gram run from config to page, and what it refuses."""

import dataclasses
import json

import ml_collections
import numpy as np
import pytest

import analysis
import training
from analysis import word_vectors as module
from configs import word_vectors
from data.word_pairs import load_word_pairs

CONFIG = {
    "model": {"objective": "skip_gram"},
    "train": {"epochs": 3},
    "data": {"name": "english/small", "path": ""},
}
SETS = ("wordsim353_similarity", "wordsim353_relatedness", "mturk")


def make_run(words, seeds=(4, 7), dim=10, **fields):
    """A run with random vectors in which both tables hold something of the same truth."""
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((len(words), dim))
    centre, context = (
        (truth + rng.standard_normal((len(seeds), len(words), dim))).astype(np.float32) for _ in range(2)
    )
    run = training.TrainedWords(
        config=ml_collections.ConfigDict(CONFIG),
        words=tuple(words),
        counts=np.arange(len(words), 0, -1),
        seeds=seeds,
        centre=centre,
        context=context,
    )
    return dataclasses.replace(run, **fields)


@pytest.fixture(scope="module")
def english():
    """The words of the pairs, and of some analogies."""
    sets = load_word_pairs(SETS)
    words = [word for pairs in sets for side in (pairs.first, pairs.second) for word in side]
    analogies = [
        "man",
        "woman",
        "king",
        "queen",
        "boy",
        "girl",
        "big",
        "bigger",
        "small",
        "smaller",
        "house",
        "mansion",
        "barn",
    ]
    return list(dict.fromkeys([*analogies, *words]))


def config_of(output, **fields):
    config = word_vectors.get_config("smoke")
    config.update({"output": str(output), "num_resamples": 100, "identity_pairs": 200})
    config.update_from_flattened_dict(fields)
    return config


@pytest.fixture(scope="module")
def written(tmp_path_factory, english):
    """The folder of an analysis of a made-up run with two seeds, and what it told the terminal."""
    output = tmp_path_factory.mktemp("words") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "load_words", lambda workdir: make_run(english))
        told = module.measure_word_vectors(config_of(output))
    return output, told


@pytest.fixture
def no_figures(monkeypatch):
    """Drawing takes longer than all else here; who looks at no figure does without."""
    monkeypatch.setattr(module, "_draw", lambda *_: [])


def test_the_folder_holds_results_page_and_figures(written):
    output, told = written
    figures = {"arms.png", "alphas.png", "angles.png", "projection.png"}
    assert {path.name for path in output.iterdir()} == {"results.json", "word_vectors.md", *figures}
    assert all((output / name).read_bytes().startswith(b"\x89PNG") for name in figures)
    assert f"written: {output / 'word_vectors.md'}" in told.splitlines()
    assert "supported: The cosine of concatenations is a mean of the cosines of their parts." in told


def test_results_hold_every_arm_of_every_set_with_intervals_and_seeds(written):
    output, _ = written
    cells = json.loads((output / "results.json").read_text())["cells"]
    for name in SETS:
        result = cells[f"pairs {name}"]
        assert result["covered"] == result["pairs"]
        for arm, found in result["arms"].items():
            low, high = found["ci95"]
            assert low <= found["mean"] <= high
            assert found["mean"] == pytest.approx(np.mean(found["per_seed"]))
            assert len(found["per_seed"]) == 2
            assert (found["versus_word"] is None) == (arm == "word")
        assert result["arms"]["sum"]["mean"] == result["arms"]["mean"]["mean"]
    assert [result["validation"] for result in (cells[f"pairs {name}"] for name in SETS)] == [
        False,
        False,
        True,
    ]
    assert "tuned α" not in cells["pairs mturk"]["arms"]
    assert "tuned α" in cells["pairs wordsim353_similarity"]["arms"]


def test_the_page_tells_what_was_expected_and_what_came_out(written):
    output, _ = written
    page = (output / "word_vectors.md").read_text()
    assert "skip-gram, 3\nepochs of `english/small`" in page
    assert "seeds 4, 7" in page
    for claim in json.loads((output / "results.json").read_text())["cells"]["claims"].values():
        assert f"| {claim['sentence']} | {claim['expected']} | **{claim['verdict']}**" in page
    assert "| unit sum | cos of ŵ + ĉ |" in page
    assert all(f"({name}.png)" in page for name in ("arms", "alphas", "angles", "projection"))
    assert "<summary>Nearest to house</summary>" in page
    assert "nan" not in page
    assert "None" not in page


def test_a_second_run_measures_nothing_again(written, english, monkeypatch, no_figures):
    output, _ = written
    before = (output / "word_vectors.md").read_text()
    (output / "word_vectors.md").unlink()
    monkeypatch.setattr(training, "load_words", lambda workdir: make_run(english))
    for measure in ("measure_set", "measure_analogies", "measure_angles", "check_identities", "judge"):
        monkeypatch.setattr(module, measure, lambda *_: pytest.fail("measured again"))
    module.measure_word_vectors(config_of(output))
    assert (output / "word_vectors.md").read_text() == before


def test_results_of_other_vectors_are_not_overwritten(written, english, monkeypatch):
    output, _ = written
    run = make_run(english)
    monkeypatch.setattr(
        training, "load_words", lambda workdir: dataclasses.replace(run, centre=run.centre + 1)
    )
    with pytest.raises(ValueError, match="holds results of other settings"):
        module.measure_word_vectors(config_of(output))


def test_a_corpus_in_another_language_is_covered_by_nothing_and_still_measured(tmp_path, monkeypatch):
    run = make_run([f"wort{i}" for i in range(50)], seeds=(0,))
    monkeypatch.setattr(training, "load_words", lambda workdir: run)
    told = module.measure_word_vectors(config_of(tmp_path))
    assert "not measured: Adding the context vectors helps." in told
    page = (tmp_path / "word_vectors.md").read_text()
    assert "- WordSim-353, similarity: 0 of 202 pairs covered, fewer than 10." in page
    assert "Not covered: no question has all four words in the vocabulary." in page
    assert "Not in the vocabulary: house, good." in page
    assert not (tmp_path / "projection.png").exists()


def test_a_users_own_pairs_are_measured_beside_the_others(tmp_path, english, monkeypatch, no_figures):
    own = tmp_path / "mine.csv"
    own.write_text(
        "".join(f"{a},{b},{i}\n" for i, (a, b) in enumerate(zip(english, english[5:30], strict=False)))
    )
    monkeypatch.setattr(training, "load_words", lambda workdir: make_run(english))
    module.measure_word_vectors(config_of(tmp_path / "out", pairs=(str(own),), validation=""))
    cells = json.loads((tmp_path / "out" / "results.json").read_text())["cells"]
    assert (cells["pairs mine"]["title"], cells["pairs mine"]["covered"]) == ("mine", 25)
    assert cells["pairs mine"]["tuned"] == {}  # nothing to tune α on


def test_results_of_another_file_of_the_same_name_are_not_taken_for_its_own(
    tmp_path, english, monkeypatch, no_figures
):
    own = tmp_path / "mine.csv"
    monkeypatch.setattr(training, "load_words", lambda workdir: make_run(english))
    config = config_of(tmp_path / "out", pairs=(str(own),), validation="")
    own.write_text("man,woman,3\n")
    module.measure_word_vectors(config)
    own.write_text("man,woman,4\n")
    with pytest.raises(ValueError, match=r"holds results of other settings \(judgements:"):
        module.measure_word_vectors(config)


def test_the_validation_set_is_measured_though_it_is_not_among_the_pairs(
    tmp_path, english, monkeypatch, no_figures
):
    monkeypatch.setattr(training, "load_words", lambda workdir: make_run(english))
    module.measure_word_vectors(config_of(tmp_path, pairs=("wordsim353_similarity",)))
    cells = json.loads((tmp_path / "results.json").read_text())["cells"]
    assert cells["pairs mturk"]["validation"]
    best = max(cells["pairs mturk"]["alphas"]["raw"], key=lambda point: point["mean"])["alpha"]
    assert cells["pairs wordsim353_similarity"]["tuned"]["tuned α"] == best


def test_without_a_finished_run_there_is_one_clear_line_and_no_folder(tmp_path):
    with pytest.raises(ValueError, match="holds no finished run") as caught:
        module.measure_word_vectors(config_of(tmp_path / "out", run=str(tmp_path / "nowhere")))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"alphas": (0.5, 1.5)}, r"alphas: expected numbers from 0 to 1, found 1\.5"),
        ({"alphas": ()}, "alphas: expected at least one number"),
        ({"num_resamples": 10}, "num_resamples: expected at least 100, found 10"),
        ({"neighbours.k": 0}, r"neighbours\.k: expected at least 1, found 0"),
        ({"analogies.combinations": ("summ",)}, r"unknown combination 'summ' \(did you mean 'sum'\?\)"),
        ({"neighbours.combinations": ("word→word",)}, "unknown combination 'word→word'"),
        ({"pairs": ("mens",)}, r"unknown word pairs 'mens' \(did you mean 'men'\?\)"),
        ({"analogies.path": __file__}, r"test_word_vectors\.py, line 1: expected 4 words or ': section'"),
        ({"validation": "mturc"}, r"unknown word pairs 'mturc' \(did you mean 'mturk'\?\)"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(tmp_path, english, monkeypatch, fields, message):
    monkeypatch.setattr(training, "load_words", lambda workdir: make_run(english))
    with pytest.raises(ValueError, match=message):
        module.measure_word_vectors(config_of(tmp_path / "new", **fields))
    assert not (tmp_path / "new").exists()


def test_vectors_of_unequal_widths_are_refused(tmp_path, english, monkeypatch):
    run = make_run(english)
    wide = dataclasses.replace(run, context=np.concatenate([run.context] * 2, axis=2))
    monkeypatch.setattr(training, "load_words", lambda workdir: wide)
    with pytest.raises(ValueError, match="word vectors are 10 wide and the context vectors 20"):
        module.measure_word_vectors(config_of(tmp_path))


def test_the_config_is_known_to_analyze(tmp_path):
    assert analysis.ANALYSES[word_vectors.get_config().analysis] is module.measure_word_vectors
