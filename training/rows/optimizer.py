"""A row of a table with its optimiser's state beside it: how it is read, and how it is updated."""

import dataclasses
import itertools
from typing import NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from .rules import Rule, State


class Clock(NamedTuple):
    """What all rows have to know of the time.

    Attributes:
      done: steps.
      log_decay: Σ ln(1 − α λ) over them.
      weights: of `Adam.pending`; none where rows do not move at rest.
    """

    done: Int[Array, ""]
    log_decay: Float[Array, ""]
    weights: Float[Array, " nodes"] | None


class Rows(NamedTuple):
    """Rows of a table as they are at some time: vectors, and the rule's state."""

    vectors: Float[Array, "*rows width"]
    state: State


@dataclasses.dataclass(frozen=True)
class RowOptimizer:
    """Updates the rows of a batch: [vector | the rule's state | what is needed to read the row later].

    A row is one stretch of memory, so that a step gathers once and scatters once, whatever the optimiser. The number of
    the step at which it was written is a float32 as all else in it: exact up to 2²⁴ steps.

    Attributes:
      rule: the optimiser.
      schedule: step, from 0 -> factor of the learning rate.
      decay: λ of decoupled weight decay: a step takes α λ off every vector.
      clip_norm: the most that the norm of all gradients together may be; None for no bound.
      exact: whether rows that a batch does not look up move and decay as they would in a dense update, from when they
        are read next; if not, they rest.
    """

    rule: Rule
    schedule: optax.Schedule
    decay: float
    clip_norm: float | None
    exact: bool

    def pack(self, vectors: Float[Array, "*rows width"]) -> Float[Array, "*rows packed"]:
        """Returns rows before the first step."""
        # Padded, because parts to be joined would take as much memory once more.
        rule, rest = self.rule, [(0, 0)] * (vectors.ndim - 1)
        state = rule.vectors * vectors.shape[-1] + rule.scalars
        started = jnp.pad(vectors, [*rest, (0, state)], constant_values=rule.start)
        return jnp.pad(started, [*rest, (0, self._stamps)])

    def start_clock(self, learning_rate: Float[Array, ""] | float) -> Clock:
        """Returns the time before the first step of a replica with a peak learning rate."""
        return self._clock(jnp.int32(0), jnp.float32(0), learning_rate)

    def advance(self, clock: Clock, learning_rate: Float[Array, ""] | float) -> Clock:
        """Returns the time one step later."""
        decay = jnp.log1p(-learning_rate * self.schedule(clock.done) * self.decay)
        return self._clock(clock.done + 1, clock.log_decay + decay, learning_rate)

    def _clock(
        self, done: Int[Array, ""], log_decay: Float[Array, ""], learning_rate: Float[Array, ""] | float
    ) -> Clock:
        weights = None
        if self._moves_at_rest:
            rates = lambda steps: learning_rate * self.schedule(steps - 1)  # noqa: E731
            weights = self.rule.weights(done, rates, self.decay)
        return Clock(done, log_decay, weights)

    def read(self, packed: Float[Array, "*rows packed"], clock: Clock) -> Rows:
        """Returns rows as they are at a time."""
        rule = self.rule
        width = (packed.shape[-1] - rule.scalars - self._stamps) // (1 + rule.vectors)
        widths = [width] * (1 + rule.vectors) + [1] * (rule.scalars + self._stamps)
        vectors, *rest = jnp.split(packed, list(itertools.accumulate(widths[:-1])), axis=-1)
        parts = len(rest) - self._stamps
        state, stamps = tuple(rest[:parts]), rest[parts:]
        if self._decays_at_rest:
            vectors = vectors * jnp.exp(clock.log_decay - stamps[-1])
        if self._moves_at_rest:
            state = rule.age(state, clock.done - stamps[0])
            vectors = vectors + rule.pending(state, clock.done, clock.weights)
        return Rows(vectors, state)

    def update(
        self,
        rows: Rows,
        gradient: Float[Array, "*rows width"],
        before: Clock,
        after: Clock,
        learning_rate: Float[Array, ""] | float,
    ) -> Float[Array, "*rows packed"]:
        """Returns rows after a step, packed.

        Args:
          rows: before it.
          gradient: of the loss with respect to their vectors.
          before: the time before the step.
          after: the time after it.
          learning_rate: the peak.
        """
        direction, state = self.rule.step(rows.state, gradient, after.done)
        rate = learning_rate * self.schedule(before.done)
        vectors = rows.vectors - rate * direction - rate * self.decay * rows.vectors
        if self._moves_at_rest:
            vectors = vectors - self.rule.pending(state, after.done, after.weights)
        times = [after.done.astype(jnp.float32)] * self._moves_at_rest + [
            after.log_decay
        ] * self._decays_at_rest
        stamps = jnp.broadcast_to(jnp.array(times, jnp.float32), (*vectors.shape[:-1], self._stamps))
        return jnp.concatenate([vectors, *state, stamps], axis=-1)

    @property
    def _moves_at_rest(self) -> bool:
        return self.exact and self.rule.moves_at_rest

    @property
    def _decays_at_rest(self) -> bool:
        return self.exact and self.decay > 0

    @property
    def _stamps(self) -> int:
        return self._moves_at_rest + self._decays_at_rest
