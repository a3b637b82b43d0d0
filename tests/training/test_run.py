"""A run as a function: what it refuses before anything is written."""

import pytest

from training import run


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"task": "sentimant"}, "unknown task 'sentimant' (did you mean 'sentiment'?)"),
        ({"model.combiner": "summ"}, "unknown combiner 'summ' (did you mean 'sum'?)"),
        ({"model.match": "size"}, "one of width, embed, params, got 'size'"),
        ({"model.dtype": "float16"}, "float32 or bfloat16, got 'float16'"),
        ({"model.dropout": 1.0}, "model.dropout must lie in [0, 1), got 1.0"),
        ({"model.word_dropout": -0.1}, "model.word_dropout must lie in [0, 1), got -0.1"),
        ({"model.combiner": "max", "data.weights": "idf"}, "'max' has no meaning for weights"),
        ({"optimizer.name": "adamm"}, "unknown optimizer.name 'adamm' (did you mean 'adam"),
        ({"train.monitor": "f1"}, "train.monitor must be one of accuracy, loss, got 'f1'"),
        ({"train.on_divergence": "ignore"}, "stop or freeze, got 'ignore'"),
        ({"train.epochs": 0}, "train.epochs must be at least 1, got 0"),
        ({"train.length_buckets": 0}, "train.length_buckets must be at least 1, got 0"),
        ({"engine.replicas": "pmap"}, "auto, map or vmap, got 'pmap'"),
        ({"seeds": ()}, "seeds must be different non-negative integers, got ()"),
        ({"seeds": (1, 1)}, "seeds must be different"),
        ({"data.name": "rotten_tomatos", "data.path": ""}, "did you mean 'rotten_tomatoes'"),
        ({"data.path": "none.csv"}, "none.csv"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(config, tmp_path, fields, message):
    changed = config.copy_and_resolve_references()
    for field, value in fields.items():
        changed.update_from_flattened_dict({field: value})
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        run(changed, tmp_path / "run")
    assert message in str(error.value)
    assert not (tmp_path / "run").exists()
