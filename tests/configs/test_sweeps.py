"""Every shipped sweep can be planned, and each of its arms builds a network."""

import importlib
import inspect
import pathlib

import ml_collections
import pytest

from analysis.claims import check_claims
from data import TextSpec
from data.images import ImageSpec
from data.table_preprocessor import CategoricalField, TableSpec
from training.network import make_network, make_program
from training.sweeps.plan import make_arms

FOLDER = pathlib.Path(__file__).parents[2] / "configs" / "sweeps"
SWEEPS = {
    path.stem: importlib.import_module(f"configs.sweeps.{path.stem}")
    for path in sorted(FOLDER.glob("*.py"))
    if path.stem != "base"
}
TEXTS = TextSpec(num_slots=9, vocab_size=30, classes=("bad", "good"))


def table_spec(num_categorical, numeric=(), vectors=()):
    categorical = tuple(
        CategoricalField(name=f"f{i}", num_rows=9, max_values=1) for i in range(num_categorical)
    )
    return TableSpec(target_mean=0.0, categorical=categorical, numeric=numeric, vectors=vectors)


def spec_of(config):
    """What the data of an arm looks like, as far as its model cares."""
    if config.task == "mnist":
        return ImageSpec(height=32, width=32, classes=tuple("0123456789"))
    if config.task != "categorical":
        return TEXTS
    return table_spec(2 if config.data.name == "movielens_small" else 3)


def arms_of(module, argument):
    takes_argument = bool(inspect.signature(module.sweep).parameters)
    arms, wrong = make_arms(
        module.get_config(argument), module.sweep(argument) if takes_argument else module.sweep()
    )
    assert not wrong
    return arms


@pytest.mark.parametrize("argument", [None, "smoke"])
@pytest.mark.parametrize("name", SWEEPS)
def test_every_arm_of_every_sweep_builds_a_program(name, argument):
    for arm in arms_of(SWEEPS[name], argument):
        if arm.config.data.name in ("synthetic_measured", "synthetic_scalars"):
            continue  # their networks have no categories; tests/models covers them
        spec = spec_of(arm.config)
        make_program(arm.config, make_network(arm.config, spec), spec, num_examples=100)


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_opens_with_its_command_and_its_references_are_arms(name):
    module = SWEEPS[name]
    assert f"python sweep.py --config=configs/sweeps/{name}.py" in module.__doc__
    config = module.get_config()
    assert config.name == name
    arms = arms_of(module, None)
    for experiment, fields in config.experiments.items():
        assert fields.reference in [arm.label for arm in arms if arm.experiment == experiment]


@pytest.mark.parametrize("name", SWEEPS)
def test_the_seeds_that_are_reported_have_not_chosen_the_setting(name):
    for experiment in SWEEPS[name].get_config().experiments.values():
        assert not set(experiment.tuning.seeds) & set(experiment.base.seeds)


@pytest.mark.parametrize(
    ("argument", "epochs", "seeds", "rates"), [("fast", 5, 2, 2), ("smoke", 1, 2, 2), (None, 30, 5, 4)]
)
def test_fast_and_smoke_cut_a_sweep_down(argument, epochs, seeds, rates):
    experiment = SWEEPS["sentiment_combiners"].get_config(argument).experiments.sentiment
    assert experiment.base.train.epochs == epochs
    assert len(experiment.base.seeds) == len(experiment.tuning.seeds) == seeds
    assert len(experiment.tuning.learning_rates) == rates


@pytest.mark.parametrize("name", ["sentiment_combiners", "all_tasks"])
def test_match_modes_are_compared_side_by_side(name):
    argument = "smoke,match=width+embed"
    arms = arms_of(SWEEPS[name], argument)
    assert [arm.label for arm in arms][:2] == ["sum match=width", "sum match=embed"]
    assert [arm.config.model.match for arm in arms][:2] == ["width", "embed"]
    for experiment in SWEEPS[name].get_config(argument).experiments.values():
        assert experiment.reference == "sum match=width"


def test_a_single_mode_is_that_of_all_arms():
    arms = arms_of(SWEEPS["sentiment_combiners"], "match=embed,combiners=sum+gru")
    assert [arm.label for arm in arms] == ["sum", "gru"]
    assert {arm.config.model.match for arm in arms} == {"embed"}


def test_scales_are_tuned_if_asked_for():
    (arm, *_) = arms_of(SWEEPS["mnist_combiners"], "scales")
    scale = arm.config.model.embedding_scale
    assert arm.tuning.embedding_scales == pytest.approx((0.3 * scale, scale, 3 * scale))


def test_the_claims_can_be_judged_from_their_arms():
    config = SWEEPS["claims"].get_config()
    assert isinstance(config, ml_collections.ConfigDict)
    labels = {}
    for arm in arms_of(SWEEPS["claims"], None):
        labels.setdefault(arm.experiment, []).append(arm.label)
    check_claims(config.claims.to_dict(), labels)
