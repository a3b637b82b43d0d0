"""Composites: several combiners on the same vectors, their outputs side by side or mixed by learned gates."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from .base import Combiner, Dim

_DEFAULT = ("sum", "mean", "max")


def _part_classes(combiners: Any) -> list[type[Combiner]]:
    # The registry imports this module to list its combiners, so that it can only be imported once it is needed.
    from .registry import combiner_class

    is_list = isinstance(combiners, tuple | list) and all(isinstance(name, str) for name in combiners)
    if not (is_list and combiners):
        raise ValueError(f"combiners must be a list of names such as {_DEFAULT}, got {combiners!r}")
    return [combiner_class(name) for name in combiners]


def _part_widths(num_vectors: int, dim: Dim, options: dict[str, Any]) -> list[int]:
    parts = _part_classes(options.get("combiners", _DEFAULT))
    return [part.output_width(num_vectors, dim) for part in parts]


class _Composite(Combiner):
    """Holds the parts; that order is without effect, and what weights mean, is true of it where it is of all parts.

    The class declares what is true of the default parts, an instance what is true of its own.
    """

    permutation_invariant = True

    def __init__(
        self,
        *,
        num_vectors: int,
        dim: Dim,
        rngs: nnx.Rngs | None,
        combiners: Sequence[str],
        **options: Any,
    ):
        classes = _part_classes(combiners)
        self.needs_rngs = any(cls.needs_rngs for cls in classes)
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, combiners=combiners, **options)
        parts = [cls(num_vectors=self.num_vectors, dim=self.dim, rngs=rngs) for cls in classes]
        self.parts = nnx.List(parts)
        # Asked of the parts and not of their classes: a part may have facts of its own, as this one has.
        self.arity = next((part.arity for part in parts if part.arity is not None), None)
        self.permutation_invariant = all(part.permutation_invariant for part in parts)
        self.variable_length = all(part.variable_length for part in parts)
        self.accepts_weights = all(part.accepts_weights for part in parts)
        self.weights_are_counts = all(part.weights_are_counts for part in parts)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the number of parameters of all parts together."""
        parts = _part_classes(options.get("combiners", _DEFAULT))
        return sum(part.parameter_count(num_vectors, dim) for part in parts)

    def _outputs(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> list[Float[Array, "*batch _"]]:
        # Called and not combined: of an empty bag `combine` may make anything, the maximum -inf, and a gate or a map
        # would get 0 · inf as its gradient.
        return [part(x, mask, weights) for part in self.parts]


class Multi(_Composite):
    """Several combiners in parallel on the same vectors: y = [c_1(x); …; c_K(x)], if wished followed by one map.

    No single pooling tells all bags apart, several together tell apart more of them (Corso et al. 2020, who also scale
    by the number of vectors, which is left out here). With `project` the concatenation is mapped back to dim by one
    matrix without a bias, which starts with variance 1 / its input width, so that it keeps the variance of the parts.

    Embeddings start around zero, whatever the parts themselves would wish: a part such as the product that wants
    another start gets it through the model's setting `embedding_mean`.

    Options: `combiners`, names in `COMBINERS` (composites included) or 'module:Class', each made with its default
    options, and `project`. Weights and fewer vectors are accepted where every part accepts them.
    """

    name = "multi"
    formula = "y = [c_1(x); …; c_K(x)], or [c_1(x); …; c_K(x)] W"
    citation = "Corso et al. 2020, Principal Neighbourhood Aggregation for Graph Nets (without its scalers)"
    use_when = "you do not know which combiner the task needs and can afford the width"
    loses = "what every one of its parts loses"

    def __init__(
        self,
        *,
        num_vectors: int,
        dim: Dim,
        rngs: nnx.Rngs | None = None,
        combiners: Sequence[str] = _DEFAULT,
        project: bool = False,
    ):
        if not isinstance(project, bool):
            raise ValueError(f"project must be True or False, got {project!r}")
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, combiners=combiners, project=project)
        width = sum(part.out_dim for part in self.parts)
        self.projection = (
            nnx.Linear(width, self.dim, use_bias=False, param_dtype=float, rngs=rngs) if project else None
        )

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the sum of the parts' widths, or dim after a projection."""
        widths = _part_widths(num_vectors, dim, options)
        return super().output_width(num_vectors, dim) if options.get("project") else sum(widths)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the parameters of all parts, and with a projection the sum of their widths times dim."""
        count = super().parameter_count(num_vectors, dim, **options)
        if options.get("project"):
            count += sum(_part_widths(num_vectors, dim, options)) * super().output_width(num_vectors, dim)
        return count

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Lays what the parts make side by side and maps it back to dim if wished."""
        y = jnp.concatenate(self._outputs(x, mask, weights), axis=-1)
        return y if self.projection is None else self.projection(y)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes [c_1(x); …; c_K(x)] W from the references of the parts."""
        y = np.concatenate([part.numpy_reference(x, mask, weights) for part in self.parts])
        return y if self.projection is None else y @ np.asarray(self.projection.kernel[...], np.float64)


class Mixture(_Composite):
    """Learned mixture of combiners: y = Σ_k g_k c_k(x), with gates g = softmax(logits), one logit per part.

    The gates say in the end which combiner the task wanted. They start equal, so that no part is ahead. The mixed
    operation of Liu et al. 2019 mixes the layers of a network like this; there the gates are trained on data of their
    own, here together with everything else. A part of a larger scale, such as a sum over a long bag, weighs more at
    equal gates.

    Embeddings start around zero, whatever the parts themselves would wish: a part such as the product that wants
    another start gets it through the model's setting `embedding_mean`.

    Option `combiners`: two or more names in `COMBINERS` (composites included) or 'module:Class', of one output width,
    each made with its default options. Weights and fewer vectors are accepted where every part accepts them.
    """

    name = "mixture"
    formula = "y = Σ_k g_k c_k(x), g = softmax(logits)"
    citation = "after the mixed operation of Liu et al. 2019, DARTS: Differentiable Architecture Search"
    use_when = "you want training to choose between combiners, at the width of one"
    loses = "what all parts with a noticeable gate lose, and which part said what"

    def __init__(
        self,
        *,
        num_vectors: int,
        dim: Dim,
        rngs: nnx.Rngs | None = None,
        combiners: Sequence[str] = _DEFAULT,
    ):
        if len(_part_classes(combiners)) < 2:
            raise ValueError(f"combiners must name at least two to mix, got {combiners!r}")
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, combiners=combiners)
        self.logits = nnx.Param(jnp.zeros(len(self.parts)))

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the one width of all parts; raises ValueError where they differ."""
        widths = _part_widths(num_vectors, dim, options)
        if len(set(widths)) > 1:
            names = options.get("combiners", _DEFAULT)
            listed = ", ".join(f"{name} {width}" for name, width in zip(names, widths, strict=True))
            raise ValueError(f"combiner {cls.name!r} needs parts of one output width, got {listed}")
        return widths[0]

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the parameters of all parts and one logit for each."""
        logits = len(options.get("combiners", _DEFAULT))
        return super().parameter_count(num_vectors, dim, **options) + logits

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Adds what the parts make, each times its gate."""
        precision = jnp.promote_types(x.dtype, jnp.float32)
        gates = jax.nn.softmax(self.logits[...].astype(precision))
        outputs = self._outputs(x, mask, weights)
        return sum(gate * output for gate, output in zip(gates, outputs, strict=True))

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_k exp(l_k) c_k(x) / Σ_k exp(l_k) from the references of the parts."""
        gates = np.exp(np.asarray(self.logits[...], np.float64))
        total = np.zeros(self.out_dim, np.float64)
        for gate, part in zip(gates, self.parts, strict=True):
            total += gate / gates.sum() * part.numpy_reference(x, mask, weights)
        return total
