"""Combiners make one vector of several. The package stands alone: copy it into any Flax project."""

from .base import Combiner, Dim, combiner_options
from .registry import COMBINERS, combiner_class, make_combiner

__all__ = ["COMBINERS", "Combiner", "Dim", "combiner_class", "combiner_options", "make_combiner"]
