"""The contract that every combiner keeps: n vectors in, one vector out, masks and empty bags handled in one place."""

import abc
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

Dim = int | tuple[int, ...]
Parts = Float[Array, "*batch n dim"] | tuple[Float[Array, "*batch _"], ...]


class Combiner(nnx.Module, abc.ABC):
    """Turns the n vectors of a bag into one vector.

    A subclass declares what is true of it (the class attributes below) and writes `combine`. Everything that all
    combiners share happens here, once: inputs are checked, what is masked is replaced by zeros before `combine` sees
    it (so that not even a NaN gets through, forwards or backwards), and an empty bag gives zeros whatever biases
    `combine` adds.

    Attributes:
      name: the key in `COMBINERS`.
      formula: what is computed, as one line of mathematics.
      citation: where it comes from.
      arity: 2 where exactly two vectors are meant, None for any number.
      permutation_invariant: whether the order of the vectors is without effect.
      variable_length: whether fewer than `num_vectors` vectors are accepted.
      accepts_weights: whether `weights` has a meaning.
      accepts_unequal_widths: whether x may be a sequence of n arrays of different widths.
      weights_are_counts: whether an integer weight k equals the vector given k times (sum and mean, not sqrtn).
      needs_rngs: whether it draws something fixed at the start that is not trained, a random role for example.
      use_when: one sentence for the reference page: what it is good for.
      loses: one sentence for the reference page: what cannot be read back out of the combined vector.
      embedding_mean: around which value embeddings must start for this combiner to have a fair start; a product over a
        long bag of embeddings around zero vanishes, for example.
      num_vectors: the largest number of vectors.
      dim: the width of one vector, a tuple of `num_vectors` widths where they differ.
      out_dim: the width of the combined vector.
    """

    name: ClassVar[str]
    formula: ClassVar[str]
    citation: ClassVar[str]
    arity: ClassVar[int | None] = None
    permutation_invariant: ClassVar[bool]
    variable_length: ClassVar[bool] = True
    accepts_weights: ClassVar[bool] = False
    accepts_unequal_widths: ClassVar[bool] = False
    weights_are_counts: ClassVar[bool] = False
    needs_rngs: ClassVar[bool] = False
    use_when: ClassVar[str] = ""
    loses: ClassVar[str] = ""
    embedding_mean: ClassVar[float] = 0.0

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, **options: Any):
        # A subclass may fix the options of its parent, which then still passes them on.
        parents = [cls for cls in type(self).__mro__ if issubclass(cls, Combiner)]
        for option in options.keys() - {name for cls in parents for name in combiner_options(cls)}:
            raise ValueError(f"combiner {self.name!r} has no option {option!r}")
        self.num_vectors, self.dim = self._checked_sizes(num_vectors, dim)
        if rngs is not None and not isinstance(rngs, nnx.Rngs):
            raise ValueError(f"rngs must be nnx.Rngs(seed), got {rngs!r}")
        if rngs is None and self.needs_rngs:
            raise ValueError(f"combiner {self.name!r} draws fixed random numbers: pass rngs=nnx.Rngs(seed)")
        if rngs is None and self.parameter_count(self.num_vectors, self.dim, **options) > 0:
            raise ValueError(f"combiner {self.name!r} has parameters: pass rngs=nnx.Rngs(seed)")
        self.out_dim = self.output_width(self.num_vectors, self.dim, **options)

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the width of the combined vector; by default that of one part."""
        del num_vectors, options
        return _equal_width(dim)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the number of trainable parameters; by default none."""
        del num_vectors, dim, options
        return 0

    @abc.abstractmethod
    def combine(
        self, x: Parts, mask: Bool[Array, "*batch n"], weights: Float[Array, "*batch n"] | None
    ) -> Float[Array, "*batch out"]:
        """Combines vectors that are already checked and zeroed where masked.

        Args:
          x: [..., n, dim], zeros where masked; a tuple of n arrays [..., dim_i] where the widths differ.
          mask: [..., n], True = present.
          weights: [..., n], zeros where masked, or None. Never given to a class that does not accept weights.

        Returns:
          [..., out_dim]. What it holds for an empty bag does not matter as long as its gradient is finite.
        """

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes the formula for one bag in float64, as plainly as it can be written.

        Args:
          x: n vectors [dim_i]; masked ones may hold anything.
          mask: [n] bool.
          weights: [n] or None.

        Returns:
          [out_dim] float64.

        Raises:
          NotImplementedError: where there is no closed form.
        """
        raise NotImplementedError(f"combiner {self.name!r} has no closed form")

    def __call__(
        self, x: Any, mask: Any | None = None, weights: Any | None = None
    ) -> Float[Array, "*batch out"]:
        """Combines the vectors of each bag.

        Args:
          x: [..., n, dim] floating point; or a sequence of n arrays [..., dim_i] where `accepts_unequal_widths`.
          mask: bool [..., n], True = present. What is masked changes nothing and gets no gradient.
          weights: floating point [..., n], as in TensorFlow's embedding_lookup_sparse.

        Returns:
          [..., out_dim] in the dtype of x; zeros for a bag that is all masked or whose weights are all zero.

        Raises:
          ValueError: for a wrong shape, rank or dtype, and for weights that have no meaning here.
        """
        parts = self._checked_parts(x)
        if isinstance(parts, tuple):
            bag_shape, dtype = (*parts[0].shape[:-1], len(parts)), parts[0].dtype
        else:
            bag_shape, dtype = parts.shape[:-1], parts.dtype
        mask = self._checked_mask(mask, bag_shape)
        weights = self._checked_weights(weights, bag_shape)
        if bag_shape[-1] == 0:
            return jnp.zeros((*bag_shape[:-1], self.out_dim), dtype)

        present = mask
        if weights is not None:
            weights = jnp.where(mask, weights, 0)
            present = weights != 0
        if isinstance(parts, tuple):
            parts = tuple(jnp.where(mask[..., i, None], part, 0) for i, part in enumerate(parts))
        else:
            parts = jnp.where(mask[..., None], parts, 0)
        y = self.combine(parts, mask, weights).astype(dtype)
        if y.shape != (*bag_shape[:-1], self.out_dim):
            raise ValueError(
                f"combiner {self.name!r} declares an output of shape {(*bag_shape[:-1], self.out_dim)}, made {y.shape}"
            )
        return jnp.where(present.any(axis=-1, keepdims=True), y, 0)

    def _checked_sizes(self, num_vectors: int, dim: Dim) -> tuple[int, Dim]:
        check_positive("num_vectors", num_vectors)
        if self.arity is not None and num_vectors != self.arity:
            raise ValueError(
                f"combiner {self.name!r} combines exactly {self.arity} vectors, not {num_vectors}"
            )
        widths = dim if isinstance(dim, tuple | list) else (dim,)
        if not widths or not all(_is_positive_integer(width) for width in widths):
            raise ValueError(f"dim must be a positive integer or a tuple of them, got {dim!r}")
        if not isinstance(dim, tuple | list):
            return int(num_vectors), int(dim)
        if len(dim) != num_vectors:
            raise ValueError(f"dim={tuple(dim)} names {len(dim)} widths for num_vectors={num_vectors}")
        if len(set(dim)) == 1:
            return int(num_vectors), int(dim[0])
        if not self.accepts_unequal_widths:
            raise ValueError(f"combiner {self.name!r} needs equal widths, got dim={tuple(dim)}")
        return int(num_vectors), tuple(int(w) for w in dim)

    def _checked_parts(self, x: Any) -> Any:
        if isinstance(x, tuple | list):
            return self._checked_sequence(x)
        if isinstance(self.dim, tuple):
            raise ValueError(
                f"combiner {self.name!r} was made for widths {self.dim}: x must be a sequence of arrays, one per width"
            )
        x = jnp.asarray(x)
        if x.ndim < 2 or x.shape[-1] != self.dim:
            raise ValueError(f"combiner {self.name!r} expects x of shape [..., n, {self.dim}], got {x.shape}")
        self._check_number(x.shape[-2])
        _check_floating("x", x)
        return x

    def _checked_sequence(self, x: Sequence[Any]) -> tuple[jax.Array, ...]:
        if not self.accepts_unequal_widths:
            raise ValueError(
                f"combiner {self.name!r} expects one array [..., n, {self.dim}], got a sequence of {len(x)}; "
                "only combiners that accept unequal widths take a sequence"
            )
        self._check_number(len(x))
        if not x:
            raise ValueError(f"combiner {self.name!r} expects at least one array, got an empty sequence")
        parts = tuple(jnp.asarray(part) for part in x)
        widths = self.dim if isinstance(self.dim, tuple) else (self.dim,) * self.num_vectors
        for i, part in enumerate(parts):
            expected = (*parts[0].shape[:-1], widths[i])
            if part.shape != expected:
                raise ValueError(
                    f"combiner {self.name!r} expects x[{i}] of shape {expected}, got {part.shape}"
                )
            _check_floating(f"x[{i}]", part)
            if part.dtype != parts[0].dtype:
                raise ValueError(f"x must have one dtype: x[0] has {parts[0].dtype}, x[{i}] has {part.dtype}")
        return parts

    def _check_number(self, n: int) -> None:
        if n > self.num_vectors or (n < self.num_vectors and not self.variable_length):
            limit = "at most" if self.variable_length else "exactly"
            raise ValueError(
                f"combiner {self.name!r} was made for {limit} {self.num_vectors} vectors, got {n}"
            )

    def _checked_mask(self, mask: Any | None, shape: tuple[int, ...]) -> jax.Array:
        if mask is None:
            return jnp.ones(shape, bool)
        mask = jnp.asarray(mask)
        if mask.dtype != bool:
            raise ValueError(f"mask must be bool (True = present), got {mask.dtype}")
        if mask.shape != shape:
            raise ValueError(f"mask must have shape {shape}, as x without its last axis; got {mask.shape}")
        return mask

    def _checked_weights(self, weights: Any | None, shape: tuple[int, ...]) -> jax.Array | None:
        if weights is None:
            return None
        if not self.accepts_weights:
            raise ValueError(f"combiner {self.name!r} has no meaning for weights: pass weights=None")
        weights = jnp.asarray(weights)
        _check_floating("weights", weights)
        if weights.shape != shape:
            raise ValueError(
                f"weights must have shape {shape}, as x without its last axis; got {weights.shape}"
            )
        return weights


def _check_floating(what: str, x: jax.Array) -> None:
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{what} must be floating point, got {x.dtype}")


def _equal_width(dim: Dim) -> int:
    return dim if isinstance(dim, int) else dim[0]


def total_width(num_vectors: int, dim: Dim) -> int:
    """Returns the width of all parts side by side: n·dim, or Σ dim_i where the widths differ."""
    return sum(dim) if isinstance(dim, tuple) else num_vectors * dim


def combiner_options(cls: type[Combiner]) -> dict[str, Any]:
    """Returns the options of a combiner's class with their defaults (inspect.Parameter.empty where there is none)."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.name not in ("num_vectors", "dim", "rngs")
    }


def _is_positive_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1


def at_least_float32(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Returns x in float32, or as it is where wider: several roundings to bfloat16 in a row would add up."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def each_vector(
    layer: Callable[[Float[Array, "vectors dim"]], Float[Array, "vectors out"]],
    x: Float[Array, "*batch n dim"],
) -> Float[Array, "*batch n out"]:
    """Applies one map to every vector, as a single matrix product over all of them.

    The same as layer(x), to rounding. XLA on a CPU is slow in the gradient of the map's weights where it sums over
    several axes: without this, a training step of the combiner `transformer` took a fifth longer.
    """
    y = layer(x.reshape(-1, x.shape[-1]))
    return y.reshape(*x.shape[:-1], y.shape[-1])


def check_positive(option: str, value: Any, *, optional: bool = False) -> None:
    """Raises ValueError, naming the option, where its value is not a positive integer (or None where optional)."""
    if optional and value is None:
        return
    if not _is_positive_integer(value):
        expected = "a positive integer or None" if optional else "a positive integer"
        raise ValueError(f"{option} must be {expected}, got {value!r}")
