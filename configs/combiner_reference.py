"""The reference page docs/combiners.md, from what the combiners declare and what the benchmark measured.

python analyze.py --config=configs/combiner_reference.py

`make bench` measures the times anew; the page shows those of its latest run.
"""

import ml_collections

from configs.arguments import parse_argument


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    parse_argument(arg)
    config = ml_collections.ConfigDict()
    config.analysis = "combiner_reference"
    config.output = "docs/combiners.md"
    config.times = "benchmarks/results/combiners.json"
    return config
