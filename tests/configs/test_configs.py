"""Every config builds; every combiner fits the task's model and takes a training step."""

import functools
import importlib
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis
import models
from combiners import COMBINERS
from configs import sentiment
from configs.arguments import parse_argument
from data import TextSpec
from data.images import ImageSpec
from data.table_preprocessor import CategoricalField, TableSpec
from training.engine import init_state
from training.network import make_network, make_program
from training.step import train_step
from training.words.run import check_config
from training.words.training import make_word_program

CONFIGS = {
    path.stem: importlib.import_module(f"configs.{path.stem}")
    for path in sorted((pathlib.Path(__file__).parents[2] / "configs").glob("*.py"))
    if path.stem not in ("__init__", "arguments", "base", "grid")
}
ANALYSES = [name for name, module in CONFIGS.items() if "analysis" in module.get_config()]
WORDS = [name for name in CONFIGS if CONFIGS[name].get_config().get("task") == "skip_gram"]
RUNS = [name for name in CONFIGS if name not in (*ANALYSES, *WORDS)]
NAMED = [name for name in RUNS if name not in models.MODELS]
SPEC = TextSpec(num_slots=5, vocab_size=30, classes=("bad", "good"))
SPECS = {
    "categorical": TableSpec(
        target_mean=3.0,
        categorical=tuple(CategoricalField(name=name, num_rows=9, max_values=1) for name in "abc"),
        numeric=(),
        vectors=(),
    ),
    "mnist": ImageSpec(height=32, width=32, classes=tuple("0123456789")),
    "order": SPEC,
    "sentiment": SPEC,
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("argument", [None, "", "smoke"])
def test_every_config_builds_a_network(name, argument):
    config = CONFIGS[name].get_config(argument)
    network = make_network(config, SPECS[config.task])
    make_program(config, network, SPECS[config.task], num_examples=100)
    assert len(config.seeds) == (2 if argument == "smoke" else 5)


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("argument", [None, "smoke", "objective=cbow,combiner=mean"])
def test_every_config_of_word_vectors_builds_a_program(name, argument):
    config = CONFIGS[name].get_config(argument)
    check_config(config)
    assert make_word_program(config, vocab_size=30).is_adaptive
    assert len(config.seeds) == (1 if argument == "smoke" else 3)


@pytest.mark.parametrize("name", ANALYSES)
def test_every_analysis_names_one_that_exists_and_opens_with_its_command(name):
    module = CONFIGS[name]
    assert module.get_config().analysis in analysis.ANALYSES
    assert f"python analyze.py --config=configs/{name}.py" in module.__doc__


@pytest.mark.parametrize("name", [*RUNS, *WORDS])
def test_every_config_opens_with_its_command(name):
    assert f"python train.py --config=configs/{name}.py" in CONFIGS[name].__doc__


@pytest.mark.parametrize("name", NAMED)
def test_every_named_config_is_its_combiners_and_opens_with_its_score_and_its_time(name):
    config, text = CONFIGS[name].get_config(), CONFIGS[name].__doc__
    assert name == f"{config.task}_{config.model.combiner}"
    assert "Test RMSE 0." in text if config.task == "categorical" else "Test accuracy 0." in text
    assert " s on 2 CPU cores" in text


@pytest.mark.parametrize("task", ["categorical", "mnist", "order"])
def test_every_task_has_a_named_config_for_the_seven_combiners(task):
    combiners = ("sum", "mean", "concat", "product", "hybrid", "attention", "position_sum")
    assert {f"{task}_{combiner}" for combiner in combiners} <= set(NAMED)


@pytest.mark.parametrize("task", models.MODELS)
def test_only_combiners_that_exist_are_tuned(task):
    assert set(CONFIGS[task].TUNED) <= set(COMBINERS)


NOT_FOR_BAGS = {
    **{
        name: f"'{name}' combines exactly 2 vectors, not 5"
        for name, cls in COMBINERS.items()
        if cls.arity == 2
    },
    "tensor_fusion": "of 5 parts of one dimension 'tensor_fusion' makes 32 numbers, model.dim is 10",
}


@pytest.mark.parametrize("combiner", COMBINERS)
def test_every_combiner_learns_in_compiled_steps_or_is_refused_for_bags_with_the_reason(combiner):
    config = sentiment.get_config(f"combiner={combiner}")
    config.model.update({"dim": 10, "embedding_scale": 0.3})
    config.train.length_buckets = 1
    if combiner in NOT_FOR_BAGS:
        with pytest.raises(ValueError, match=NOT_FOR_BAGS[combiner]):
            make_network(config, SPEC)
        return
    program = make_program(config, make_network(config, SPEC), SPEC, num_examples=16)
    rng = np.random.default_rng(0)
    batch = {
        "tokens": rng.integers(0, 30, (16, 5), dtype=np.int32),
        "targets": rng.integers(0, 2, 16, dtype=np.int32),
        "present": np.ones(16, np.float32),
    }
    state = init_state(jnp.uint32(0), jnp.float32(0.01), program)
    step = jax.jit(functools.partial(train_step, program=program))
    params, opt_state, losses = state.params, state.opt_state, []
    for index in range(8):
        params, opt_state, sums = step(
            params, state.fixed, opt_state, batch, 0, jax.random.key(index), state.learning_rate
        )
        losses.append(float(sums["loss"]))
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


# --- The argument of a config ---


def test_an_argument_is_names_with_values_and_flags():
    defaults = {"combiner": "sum", "smoke": False}
    assert parse_argument(None, **defaults) == defaults
    assert parse_argument("combiner=max,smoke", **defaults) == {"combiner": "max", "smoke": True}
    assert parse_argument("combiner=sum,combiner=max,", **defaults)["combiner"] == "max"
    own = parse_argument("combiner=my_module:Mine", **defaults)
    assert own["combiner"] == "my_module:Mine"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "combner=sum",
            r"unknown config argument 'combner' \(did you mean 'combiner'\?\); known are combiner, smoke",
        ),
        ("combiner", "'combiner' needs a value, got 'combiner'"),
        ("smoke=1", "'smoke' takes no value, got 'smoke=1'"),
    ],
)
def test_an_argument_that_is_none_is_refused(argument, message):
    with pytest.raises(ValueError, match=message):
        parse_argument(argument, combiner="sum", smoke=False)
