"""Finds a combiner by name: one of `COMBINERS`, or a user's own class as 'my_module:MyCombiner'."""

import difflib
import importlib
import inspect
from collections.abc import Iterable
from typing import Any

from flax import nnx

from .attention import Attention
from .attention_blocks import MultiHeadAttention, SelfAttentionMean
from .base import Combiner, Dim, combiner_options
from .bilinear import Bilinear, LowRankBilinear, Mutan, Tucker
from .composites import Mixture, Multi
from .concatenation import Concat, PaddedSum, PositionSum
from .encoders import GRU, LSTM, DeepSets
from .fusion import LowRankFusion, TensorFusion
from .gating import GatedMultimodalUnit, GatedSum, SlotExcitation, SqueezeExcitation
from .interactions import (
    AbsDifference,
    BiInteraction,
    CircularConvolution,
    CircularCorrelation,
    Difference,
    Matching,
    PairwiseDots,
)
from .multiplicative import (
    CrossNetwork,
    Film,
    MultiplicativeMatrix,
    MultiplicativeScalar,
    MultiplicativeVector,
)
from .pooling import Max, Mean, SqrtN, Sum
from .products import Hybrid, Product
from .projections import ProjectedConcat, ProjectThenMean
from .slots import First, Last, PermutedSum, PositionWeights, RoleFiller, WeightedSum
from .statistics_pooling import (
    KMax,
    LearnedPowerMean,
    LearnedSoftmaxAggregation,
    Median,
    Min,
    PowerMean,
    SoftmaxAggregation,
    Std,
    Variance,
)
from .transformers import SetTransformer, Transformer

COMBINERS: dict[str, type[Combiner]] = {
    "sum": Sum,
    "mean": Mean,
    "sqrtn": SqrtN,
    "max": Max,
    "min": Min,
    "median": Median,
    "variance": Variance,
    "std": Std,
    "power_mean": PowerMean,
    "learned_power_mean": LearnedPowerMean,
    "softmax_aggregation": SoftmaxAggregation,
    "learned_softmax_aggregation": LearnedSoftmaxAggregation,
    "k_max": KMax,
    "first": First,
    "last": Last,
    "weighted_sum": WeightedSum,
    "position_weights": PositionWeights,
    "permuted_sum": PermutedSum,
    "role_filler": RoleFiller,
    "product": Product,
    "hybrid": Hybrid,
    "difference": Difference,
    "abs_difference": AbsDifference,
    "bi_interaction": BiInteraction,
    "pairwise_dots": PairwiseDots,
    "matching": Matching,
    "circular_convolution": CircularConvolution,
    "circular_correlation": CircularCorrelation,
    "concat": Concat,
    "padded_sum": PaddedSum,
    "position_sum": PositionSum,
    "projected_concat": ProjectedConcat,
    "project_then_mean": ProjectThenMean,
    "attention": Attention,
    "multi_head_attention": MultiHeadAttention,
    "self_attention_mean": SelfAttentionMean,
    "set_transformer": SetTransformer,
    "transformer": Transformer,
    "gated_sum": GatedSum,
    "gated_multimodal_unit": GatedMultimodalUnit,
    "squeeze_excitation": SqueezeExcitation,
    "slot_excitation": SlotExcitation,
    "bilinear": Bilinear,
    "low_rank_bilinear": LowRankBilinear,
    "tucker": Tucker,
    "mutan": Mutan,
    "tensor_fusion": TensorFusion,
    "low_rank_fusion": LowRankFusion,
    "multiplicative_matrix": MultiplicativeMatrix,
    "multiplicative_vector": MultiplicativeVector,
    "multiplicative_scalar": MultiplicativeScalar,
    "film": Film,
    "cross_network": CrossNetwork,
    "deep_sets": DeepSets,
    "gru": GRU,
    "lstm": LSTM,
    "multi": Multi,
    "mixture": Mixture,
}

_DECLARED = ("name", "formula", "citation", "permutation_invariant")


def make_combiner(
    name: str, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, **options: Any
) -> Combiner:
    """Makes a combiner by name.

    Args:
      name: a key of `COMBINERS`, or 'module:Class' for a class of the user's own.
      num_vectors: the largest number of vectors to combine.
      dim: the width of one vector, a tuple of widths where they differ.
      rngs: initialises the parameters, if the combiner has any.
      **options: the combiner's own options.

    Returns:
      The combiner: y = combiner(x, mask=None, weights=None), x [..., n, dim] -> y [..., out_dim].

    Raises:
      ValueError: for an unknown name or option (with the nearest known one), or a size that cannot be.
    """
    cls = combiner_class(name)
    known = combiner_options(cls)
    for option in options:
        if option not in known:
            expected = f"its options are {', '.join(known)}" if known else "it has no options"
            raise ValueError(
                f"combiner {name!r} has no option {option!r}{_nearest(option, known)}; {expected}"
            )
    return cls(num_vectors=num_vectors, dim=dim, rngs=rngs, **options)


def combiner_class(name: str) -> type[Combiner]:
    """Returns the class of a combiner's name; raises ValueError, with the nearest name, where there is none."""
    if name in COMBINERS:
        return COMBINERS[name]
    if ":" not in name:
        raise ValueError(
            f"unknown combiner {name!r}{_nearest(name, COMBINERS)}; known are {', '.join(COMBINERS)}, "
            "or 'my_module:MyCombiner' for your own"
        )
    module_name, _, class_name = name.partition(":")
    if not module_name or module_name.startswith("."):
        raise ValueError(f"combiner {name!r}: expected 'my_module:MyCombiner', the module by its full name")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the user's module is there, but imports something that is not
        raise ValueError(
            f"combiner {name!r}: no module {module_name!r} beside train.py or on PYTHONPATH"
        ) from error
    cls = getattr(module, class_name, None)
    if cls is None:
        classes = [key for key, value in vars(module).items() if inspect.isclass(value)]
        raise ValueError(
            f"combiner {name!r}: {module_name} has no {class_name!r}{_nearest(class_name, classes)}"
        )
    if not (inspect.isclass(cls) and issubclass(cls, Combiner)):
        raise ValueError(f"combiner {name!r}: {class_name} must be a subclass of combiners.Combiner")
    if inspect.isabstract(cls):
        raise ValueError(
            f"combiner {name!r}: {class_name} must define {', '.join(sorted(cls.__abstractmethods__))}"
        )
    undeclared = [fact for fact in _DECLARED if not hasattr(cls, fact)]
    if undeclared:
        raise ValueError(f"combiner {name!r}: {class_name} must declare {', '.join(undeclared)}")
    return cls


def _nearest(name: str, known: Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
