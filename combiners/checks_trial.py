"""A trial: one combiner with random parameters, the bags it is given, and its answers, compiled once for all checks."""

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from .base import Combiner, Dim
from .checks_report import SkippedError

NUM_BAGS = 8
SEED = 0


class Bags(NamedTuple):
    """What a combiner is called with. A field may be None as in the call."""

    x: Any
    mask: np.ndarray | None = None
    weights: np.ndarray | None = None


class Answer(NamedTuple):
    """What a combiner returned, and the gradients of Σ c·y, where c is one fixed random vector."""

    y: Any
    parameters: Any
    x: Any
    weights: Any


class Trial:
    """One combiner whose parameters are random, since at their start many are all zero.

    Attributes:
      cls: its class.
      options: its options; those left out have their defaults.
      combiner: the instance. Facts are read from it, since a composite sets some per instance.
      num_vectors: how many slots its bags have.
      dim: the width of one vector, a tuple where they differ.
      weightings: (False,), or (False, True) where weights are accepted.
      parameters, rest: its state, as NumPy arrays: what is trained, and what is not.
      start: the parameters as they were initialised.
    """

    def __init__(
        self,
        cls: type[Combiner],
        num_vectors: int | None = None,
        dim: Dim = 3,
        options: Mapping[str, Any] | None = None,
        seed: int = SEED,
    ):
        self.cls, self.options, self.dim = cls, dict(options or {}), dim
        self.num_vectors = num_vectors or cls.arity or 4
        self.combiner = self.new(seed)
        self.start = cast(nnx.state(self.combiner, nnx.Param), np.float32)
        rng = np.random.default_rng(1)
        nnx.update(
            self.combiner, jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), p.dtype), self.start)
        )
        self.graph, *state = nnx.split(self.combiner, nnx.Param, ...)
        self.parameters, self.rest = cast(state, np.float32)
        self.weightings = (False, True) if self.combiner.accepts_weights else (False,)
        self.coefficients = np.random.default_rng(2).normal(size=self.combiner.out_dim)
        self._compiled = jax.jit(self._answer)
        self._compiled_result = jax.jit(lambda state, bags: self.merged(*state)(*bags))

    def new(self, seed: int | None) -> Combiner:
        """Returns another instance at its start; made without rngs where the seed is None."""
        rngs = None if seed is None else nnx.Rngs(seed)
        return self.cls(num_vectors=self.num_vectors, dim=self.dim, rngs=rngs, **self.options)

    # --- Answers ---

    def answer(self, bags: Bags, dtype: Any = np.float32, parameters: Any = None) -> Answer:
        """Returns what the compiled combiner makes of the bags in a dtype; compiled once for each shape and dtype.

        In float64 its parameters are float64 as well, in bfloat16 they stay what they are.
        """
        parameters = self.parameters if parameters is None else parameters
        if dtype != np.float64:
            return self._compiled(parameters, self.rest, cast(bags, dtype))
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, self._compiled(*cast((parameters, self.rest, bags), dtype)))

    def result(self, bags: Bags) -> jax.Array:
        """Returns what the compiled combiner returns in float32, without gradients; cheaper for another shape."""
        return self._compiled_result((self.parameters, self.rest), cast(bags, np.float32))

    def eager_answer(self, bags: Bags, dtype: Any = np.float32) -> Answer:
        """Returns the same operation by operation, so that `jax.debug_nans` sees what lies between."""
        return self._answer(self.parameters, self.rest, jax.tree.map(jnp.asarray, cast(bags, dtype)))

    def merged(self, parameters: Any, rest: Any) -> Combiner:
        """Returns an instance with this state; to be used inside a program that is compiled."""
        return nnx.merge(self.graph, parameters, rest)

    @functools.cached_property
    def traced(self) -> jax.stages.Traced:
        """The program of `answer` in float32 without weights, before it is compiled."""
        return self._compiled.trace(self.parameters, self.rest, cast(self.bags(), np.float32))

    def loss(self, y: Any) -> np.ndarray:
        """Returns Σ c·y of each bag in float64: what the gradients of an answer belong to."""
        return np.asarray(y, np.float64) @ self.coefficients

    def reference(self, bags: Bags) -> np.ndarray:
        """Returns numpy_reference of every bag; raises SkippedError where there is no closed form."""
        parts = bags.x if isinstance(bags.x, tuple) else tuple(np.moveaxis(np.asarray(bags.x), -2, 0))
        batch = parts[0].shape[:-1]
        mask = np.ones((*batch, len(parts)), bool) if bags.mask is None else bags.mask
        y = np.empty((*batch, self.combiner.out_dim), np.float64)
        for bag in np.ndindex(*batch):
            weights = None if bags.weights is None else np.asarray(bags.weights[bag], np.float64)
            vectors = [np.asarray(part[bag], np.float64) for part in parts]
            try:
                y[bag] = self.combiner.numpy_reference(vectors, mask[bag], weights)
            except NotImplementedError:
                raise SkippedError("no closed form") from None
        return y

    def _answer(self, parameters: Any, rest: Any, bags: Bags) -> Answer:
        def combine(parameters: Any, x: Any, weights: Any) -> jax.Array:
            return self.merged(parameters, rest)(x, bags.mask, weights)

        y, pull_back = jax.vjp(combine, parameters, bags.x, bags.weights)
        return Answer(y, *pull_back(jnp.broadcast_to(jnp.asarray(self.coefficients, y.dtype), y.shape)))

    # --- Bags ---

    def bags(self, weighted: bool = False, seed: int = 0) -> Bags:
        """Returns generic bags in float64: full ones, one below zero, one above zero, and some with masked slots."""
        rng = np.random.default_rng(seed)
        x = self._split(rng.normal(size=(NUM_BAGS, self.num_vectors, self._widest)))
        for part in x if isinstance(x, tuple) else (x,):
            part[1], part[2] = -np.abs(part[1]), np.abs(part[2])
        shape = (NUM_BAGS, self.num_vectors)
        return Bags(x, self._masks(), rng.uniform(0.5, 2, size=shape) if weighted else None)

    def drawn_bags(self, weighted: bool = False, seed: int = 0) -> Bags:
        """Returns bags of eighths: zeros, ties, cancelling weights and empty bags all come up, and sums are exact."""
        rng = np.random.default_rng(seed)
        shape = (NUM_BAGS, self.num_vectors)
        largest = (1, 4, 16)[seed % 3]  # of few different numbers there are many ties
        x = rng.integers(-largest, largest + 1, size=(*shape, self._widest)) / 8
        weights = rng.integers(-largest, largest + 1, size=shape) / 8 if weighted else None
        return Bags(self._split(x), rng.random(shape) < rng.uniform(0.3, 1), weights)

    def orders(self) -> Iterator[np.ndarray]:
        """Yields orders of the slots other than their own."""
        every_third = itertools.islice(itertools.permutations(range(self.num_vectors)), 1, 24, 3)
        return (np.array(order) for order in every_third)

    @property
    def _widest(self) -> int:
        return max(self.dim) if isinstance(self.dim, tuple) else self.dim

    def _split(self, x: np.ndarray) -> np.ndarray | tuple[np.ndarray, ...]:
        """Returns x, or its slots one by one, each of its own width, where the widths differ."""
        if not isinstance(self.dim, tuple):
            return x
        return tuple(x[:, i, :width].copy() for i, width in enumerate(self.dim))

    def _masks(self) -> np.ndarray:
        """Returns a mask: three full bags; one without its last, its first, every second, all but its last; full."""
        slots = np.arange(self.num_vectors)
        last = self.num_vectors - 1
        mask = np.ones((NUM_BAGS, self.num_vectors), bool)
        for bag, gone in enumerate((slots == last, slots == 0, slots % 2 == 1, slots != last), start=3):
            mask[bag] = ~gone if not gone.all() else True
        return mask


def cast(tree: Any, dtype: Any) -> Any:
    """Returns a tree with its floating-point arrays in a dtype, as NumPy arrays; all others stay as they are."""

    def cast_leaf(leaf: Any) -> Any:
        return np.asarray(leaf).astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast_leaf, tree)


def path_name(path: tuple[Any, ...]) -> str:
    """Writes where an array lies in a state, as 'cell.dense.kernel'."""
    return jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")


def poisoned(bags: Bags, poison: float) -> Bags:
    """Returns the bags with a number in every masked slot and weight, which must go unnoticed."""
    if isinstance(bags.x, tuple):
        x = tuple(np.where(bags.mask[..., i, None], part, poison) for i, part in enumerate(bags.x))
    else:
        x = np.where(bags.mask[..., None], bags.x, poison)
    weights = None if bags.weights is None else np.where(bags.mask, bags.weights, poison)
    return Bags(x, bags.mask, weights)


def taken(bags: Bags, slots: np.ndarray) -> Bags:
    """Returns the bags with only these slots, in this order."""
    weights = None if bags.weights is None else bags.weights[..., slots]
    return Bags(bags.x[..., slots, :], bags.mask[..., slots], weights)
