"""A plan holds arms that can be run; what cannot be is refused before anything is."""

import pytest

from configs.sweeps import sentiment_combiners
from training.sweeps.plan import make_label, make_plan


def test_an_arm_is_the_base_with_its_overrides(make, experiment):
    plan = make("sum", {"model.combiner": "concat", "model.match": "embed"})
    assert [arm.label for arm in plan.arms] == ["sum", "concat match=embed"]
    assert plan.arms[1].config.model.match == "embed"
    assert plan.arms[1].config.model.dim == experiment.base.model.dim
    assert experiment.base.model.match == "width", "the base itself is left as it was"


def test_an_arm_is_tuned_on_the_grid_of_its_experiment(make, experiment):
    tuning = make("sum").arms[0].tuning
    assert tuning.learning_rates == (1e-3, 1e-1)
    assert tuning.embedding_scales == (experiment.base.model.embedding_scale,)
    assert [(r.seed, r.learning_rate) for r in tuning.replicas()] == [
        (7, 1e-3),
        (8, 1e-3),
        (7, 1e-1),
        (8, 1e-1),
    ]


def test_labels_are_made_of_the_values_unless_given(make):
    assert make_label({"model.dim": 8, "model.combiner": "sum"}) == "sum dim=8"
    plan = make("sum", {"model.combiner": "mean", "label": "the average"})
    assert plan.arms[1].label == "the average"
    assert plan.arms[1].folder.name.startswith("the-average-")


def test_all_wrong_arms_are_named_at_once(make):
    with pytest.raises(ValueError, match="summ") as error:
        make("sum", "summ", {"model.combinr": "sum"}, {"model.combiner": "mean", "model.dim": 0})
    message = str(error.value)
    assert "'summ'" in message
    assert "did you mean 'sum'?" in message
    assert "unknown config field 'model.combinr'" in message
    assert "model.combiner'?" in message
    assert "model.dim" in message


def test_a_mode_that_cannot_be_met_is_refused_beforehand(make):
    with pytest.raises(ValueError, match="tensor_fusion"):
        make("sum", "tensor_fusion")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("learning_rates", (), r"tuning\.learning_rates is empty"),
        ("seeds", (), r"tuning\.seeds is empty"),
        ("learning_rates", (0.1, 0.1), "different positive numbers"),
        ("learning_rates", (0.1, -1.0), "different positive numbers"),
        ("embedding_scales", (0.0,), "different positive numbers"),
        ("seeds", (1, 1), "different integers"),
    ],
)
def test_a_grid_without_a_choice_is_refused(make, experiment, field, value, message):
    experiment.tuning[field] = value
    with pytest.raises(ValueError, match=message):
        make("sum")


def test_a_sweep_without_arms_is_refused(make):
    with pytest.raises(ValueError, match="the sweep is empty"):
        make()


def test_two_arms_of_one_name_are_refused(make):
    with pytest.raises(ValueError, match="two arms are called 'sum'"):
        make("sum", "sum")


def test_an_unknown_experiment_is_refused(make):
    with pytest.raises(ValueError, match=r"unknown experiment 'review'.*did you mean 'reviews'"):
        make({"model.combiner": "sum", "experiment": "review"})


def test_a_reference_that_is_no_arm_is_refused(make):
    with pytest.raises(ValueError, match=r"experiments\.reviews\.reference: there is no arm 'sum'"):
        make("mean")


def test_a_margin_must_be_positive(make, experiment):
    experiment.margin = -1.0
    with pytest.raises(ValueError, match=r"experiments\.reviews\.margin must be a positive number"):
        make("sum")


@pytest.mark.parametrize(
    "override", [{"optimizer.learning_rate": 0.1}, {"seeds": (1, 2)}, {"model.embedding_scale": 1.0}]
)
def test_what_is_tuned_or_common_to_all_arms_is_no_arm_of_its_own(make, experiment, override):
    experiment.tuning.embedding_scales = (0.1, 1.0)
    with pytest.raises(ValueError, match="chosen in tuning or the same for all arms"):
        make("sum", override)


def test_several_match_modes_have_a_reference_among_them(reviews_csv, shared):
    argument = "smoke,match=width+embed"
    config = sentiment_combiners.get_config(argument)
    config.experiments.sentiment.base.data.path = str(reviews_csv)
    plan = make_plan(config, sentiment_combiners.sweep(argument), shared)
    assert plan.experiments["sentiment"]["reference"] in plan.labels()["sentiment"]
