"""Runs a script of the project in an environment of the project alone, though this one has PyTorch for the peers.

python -m benchmarks.without_pytorch train.py --config=configs/sentiment_sum.py

tensorboardX loads PyTorch wherever it is installed, which takes as long as all else that a command imports.
"""

import importlib.abc
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Hidden(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("no PyTorch in this benchmark", name=name)
        return None


def hide_pytorch() -> None:
    """Lets PyTorch look as if it were not installed."""
    sys.meta_path.insert(0, _Hidden())


if __name__ == "__main__":
    hide_pytorch()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
