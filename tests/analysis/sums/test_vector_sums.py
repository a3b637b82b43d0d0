"""What is wrong with any part of the analysis is said before the first is measured."""

import pytest

from analysis import analyze
from configs import vector_sums


@pytest.mark.parametrize(
    ("section", "field", "value", "reason"),
    [
        ("decoders", "names", ("gredy",), "unknown decoder 'gredy' .*'greedy'"),
        ("probes", "combiners", ("summ",), "unknown combiner 'summ' .*'sum'"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_measured(tmp_path, section, field, value, reason):
    config = vector_sums.get_config("smoke")
    config.output = str(tmp_path / "output")
    config[section][field] = value
    with pytest.raises(ValueError, match=reason):
        analyze(config)
    assert not (tmp_path / "output").exists()
