"""Checks the combiners in which the slot decides: known values, their starts, and what can be read back out."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners.concatenation import PositionSum
from combiners.pooling import Sum
from combiners.slots import First, Last, PermutedSum, PositionWeights, RoleFiller, WeightedSum

X = np.float32([[1, 2], [3, -4], [5, 0]])


def bags(*shape, seed=0):
    return np.float32(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize(("cls", "taken"), [(First, [0, 1, 0, 1]), (Last, [2, 2, 1, 1])])
def test_first_and_last_are_those_that_are_present(cls, taken, make, gradients):
    mask = np.array([[1, 1, 1], [0, 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]], bool)
    x = np.tile(X, (5, 1, 1))
    combiner = make(cls, num_vectors=3, dim=2)
    np.testing.assert_array_equal(combiner(x, mask), [*X[taken], [0, 0]])
    # The gradient of Σ_j (1 + j) y_j goes to the one vector that was taken.
    one_hot = np.vstack([np.eye(3)[taken], np.zeros(3)])
    np.testing.assert_array_equal(gradients(combiner, x, mask).x, one_hot[..., None] * [1, 2])


def test_last_of_fewer_vectors_than_slots_is_the_last_given(make):
    np.testing.assert_array_equal(make(Last, num_vectors=9, dim=2)(X), X[-1])


@pytest.mark.parametrize("cls", [WeightedSum, PositionWeights])
def test_learned_scales_start_as_the_plain_sum(cls, make):
    x = bags(5, 4, 3)
    at_start = cls(num_vectors=4, dim=3, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(at_start(x), make(Sum)(x), rtol=1e-6)


@pytest.mark.parametrize(
    ("cls", "scale", "y"),
    [
        (WeightedSum, [2, -1, 0.5], [1.5, 8]),  # 2·1 − 3 + ½·5, 2·2 + 4 + ½·0
        (PositionWeights, [[2, 1], [-1, 0], [0.5, 7]], [1.5, 2]),  # 2·1 − 3 + ½·5, 2 + 0·(−4) + 7·0
    ],
)
def test_numbers_worked_out_by_hand(cls, scale, y, make, expected):
    combiner = make(cls, num_vectors=3, dim=2)
    combiner.scale[...] = jnp.float32(scale)
    np.testing.assert_allclose(combiner(X), y, rtol=1e-6)
    np.testing.assert_allclose(expected(combiner, X), y, rtol=1e-6)


def test_a_masked_slot_leaves_the_later_ones_their_own_scale(make):
    combiner = make(WeightedSum, num_vectors=3, dim=2)
    combiner.scale[...] = jnp.float32([2, 3, 5])
    np.testing.assert_array_equal(combiner(X, np.array([False, False, True])), 5 * X[2])


def test_position_weights_are_a_position_sum_with_diagonal_matrices(make):
    weights, matrices = make(PositionWeights), make(PositionSum)
    matrices.kernel[...] = jnp.stack([jnp.diag(scale) for scale in weights.scale[...]])
    x = bags(5, 4, 3)
    np.testing.assert_allclose(weights(x), matrices(x), rtol=1e-5, atol=1e-6)


# --- Fixed random maps ---


def test_permuted_sum_rearranges_each_slot_and_leaves_the_first(make):
    combiner, x = make(PermutedSum, num_vectors=5, dim=64), bags(5, 64)
    alone = np.asarray(combiner(np.tile(x, (5, 1, 1)), np.eye(5, dtype=bool)))
    np.testing.assert_array_equal(alone[0], x[0])
    for slot in range(1, 5):
        assert (alone[slot] != x[slot]).any()
        np.testing.assert_array_equal(np.sort(alone[slot]), np.sort(x[slot]))
    assert len({tuple(permutation.tolist()) for permutation in combiner.permutations[...]}) == 5
    np.testing.assert_allclose(combiner(x), np.sum(alone, axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cls", [PermutedSum, RoleFiller])
def test_what_is_fixed_comes_from_the_seed_and_is_not_trained(cls):
    x = bags(4, 8)
    made = [cls(num_vectors=4, dim=8, rngs=nnx.Rngs(seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(made[0](x), made[1](x))
    assert (made[0](x) != made[2](x)).any()
    assert not nnx.state(made[0], nnx.Param)
    with pytest.raises(ValueError, match=r"rngs=nnx\.Rngs"):
        cls(num_vectors=4, dim=8)


@pytest.mark.parametrize("dim", [7, 8])  # an even width has one more Fourier coefficient that is real
def test_binding_to_a_role_keeps_the_length_and_unbinding_undoes_it(dim, make):
    combiner, x = make(RoleFiller, num_vectors=3, dim=dim), bags(3, dim)
    alone = combiner(np.tile(x, (3, 1, 1)), np.eye(3, dtype=bool))
    np.testing.assert_allclose(np.linalg.norm(combiner.roles[...], axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-5)
    for slot in range(3):
        np.testing.assert_allclose(combiner.unbind(alone[slot], slot), x[slot], rtol=1e-4, atol=1e-5)


def test_every_filler_of_four_is_found_again_among_fifty_candidates(make):
    candidates = bags(50, 1024)
    combiner, chosen = make(RoleFiller, dim=1024), [7, 30, 2, 41]
    y = combiner(candidates[chosen])
    for slot, right in enumerate(chosen):
        recovered = np.asarray(combiner.unbind(y, slot))
        cosines = candidates @ recovered / np.linalg.norm(candidates, axis=-1) / np.linalg.norm(recovered)
        assert cosines.argmax() == right
        np.testing.assert_allclose(cosines[right], 0.5, atol=0.1)  # one part of four of equal length


@pytest.mark.parametrize("slot", [-1, 4, True])
def test_unbinding_a_slot_that_there_is_not_is_refused(slot, make):
    with pytest.raises(ValueError, match=f"slot must be an integer from 0 to 3, got {slot}"):
        make(RoleFiller).unbind(jnp.zeros(3), slot)
