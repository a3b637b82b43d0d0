"""What `data=` stands for in the config of table features."""

import pytest

from configs import categorical


@pytest.mark.parametrize("chosen", categorical.DATA)
def test_every_dataset_has_settings_and_takes_any_combiner(chosen):
    config = categorical.get_config(f"data={chosen},combiner=max")
    assert config.model.combiner == "max"
    for field, value in categorical.DATA[chosen].items():
        section, _, name = field.rpartition(".")
        assert _at(config, section)[name] == value


def _at(config, section):
    for name in section.split("."):
        config = config[name]
    return config


@pytest.mark.parametrize(
    ("chosen", "field"),
    [("count", "bag_combiner"), ("measured", "numeric_combiner"), ("scalars", "numeric_combiner")],
)
def test_controls_of_bags_and_of_measured_vectors_give_the_combiner_to_them(chosen, field):
    assert categorical.get_config(f"data={chosen},combiner=sum").model[field] == "sum"
    assert categorical.get_config("combiner=sum").model[field] != "sum"


def test_a_tuned_combiner_brings_its_own_settings_on_the_default_data_alone():
    learning_rate, embedding_scale, weight_decay = categorical.TUNED["product"]
    config = categorical.get_config("combiner=product")
    assert config.optimizer.learning_rate == learning_rate
    assert config.model.embedding_scale == embedding_scale
    assert config.optimizer.weight_decay == weight_decay
    assert config.optimizer.options.eps == categorical.TUNED_EPSILON
    assert "eps" not in categorical.get_config("combiner=mutan").optimizer.options
    on_diamonds = [categorical.get_config(f"data=diamonds,combiner={name}") for name in ("product", "max")]
    assert on_diamonds[0].optimizer == on_diamonds[1].optimizer


def test_an_unknown_dataset_is_refused_with_the_nearest_one():
    with pytest.raises(
        ValueError, match=r"data='diamond' \(did you mean 'diamonds'\?\); known are movielens"
    ):
        categorical.get_config("data=diamond")
