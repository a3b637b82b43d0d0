"""Holds every combiner to everything it declares, as `python -m combiners.check` does.

To hold a combiner of your own to it as well:

    COMBINER=my_module:MyCombiner python -m pytest tests/combiners/test_conformance.py
"""

import contextlib
import functools
import os
import pathlib
import subprocess
import sys

import hypothesis.extra.numpy as hnp
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from combiners import COMBINERS, Combiner, combiner_class, make_combiner
from combiners.check import PROPERTIES, check, main, sentence
from combiners.checks_masks import ignores_poison
from combiners.checks_report import SkippedError
from combiners.checks_trial import Bags, Trial
from combiners.checks_values import near_reference
from training.checkpoints import restore_best, save_best

ROOT = pathlib.Path(__file__).parents[2]


class BiasedSum(Combiner):
    """A user's combiner: a sum and a learned bias, which an empty bag must not show."""

    name = "biased_sum"
    formula = "y = b + Σ_i w_i x_i"
    citation = "this test"
    permutation_invariant = True
    accepts_weights = True
    weights_are_counts = True

    def __init__(self, *, num_vectors, dim, rngs=None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.bias = nnx.Param(jnp.ones(self.out_dim))

    @classmethod
    def parameter_count(cls, num_vectors, dim, **options):
        return cls.output_width(num_vectors, dim, **options)

    def combine(self, x, mask, weights):
        return self.bias[...] + jnp.sum(x if weights is None else weights[..., None] * x, axis=-2)

    def numpy_reference(self, x, mask, weights):
        w = mask if weights is None else np.where(mask, weights, 0.0)
        if not np.any(w):
            return np.zeros(self.out_dim)
        return np.asarray(self.bias[...], np.float64) + sum(w[i] * x[i] for i in range(len(x)) if mask[i])


CLASSES = [*COMBINERS.values(), BiasedSum]
if "COMBINER" in os.environ:
    CLASSES.append(combiner_class(os.environ["COMBINER"]))


def assert_keeps_the_contract(cls, **options):
    failures = [f"{r.name}: {r.reason}" for r in check(cls, **options) if r.status == "fail"]
    assert not failures, "\n".join([f"{cls.name} {options or ''}", *failures])


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
def test_keeps_what_it_declares(cls):
    assert_keeps_the_contract(cls)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("multi", {"combiners": ["sum", "mean"]}, id="parts that count weights"),
        pytest.param("multi", {"combiners": ["concat", "sum"], "project": True}, id="a part that sees order"),
        pytest.param("mixture", {"combiners": ["sum", "permuted_sum"]}, id="a part that draws"),
        pytest.param(
            "multi", {"combiners": ["difference", "abs_difference"], "num_vectors": 2}, id="two vectors"
        ),
        pytest.param("multi_head_attention", {"num_heads": 2, "dim": 4}, id="two heads"),
        pytest.param(
            "position_sum", {"features": 5, "num_vectors": 1, "dim": 1}, id="one vector of one number"
        ),
    ],
)
def test_keeps_with_options_what_the_instance_declares(name, options):
    assert_keeps_the_contract(COMBINERS[name], **options)


def test_a_name_is_the_key_of_its_class():
    assert {key: cls.name for key, cls in COMBINERS.items()} == {key: key for key in COMBINERS}


trial_of = functools.cache(Trial)  # one for each class: it holds what was compiled


@st.composite
def drawn_cases(draw):
    """Any combiner, any batch shape, number of vectors, mask and weights; eighths, so that sums are exact."""
    cls = draw(st.sampled_from(CLASSES))
    most = cls.arity or 4
    batch = draw(st.sampled_from([(), (1,), (2, 3)]))
    slots = (*batch, draw(st.integers(1 if cls.variable_length else most, most)))

    def eighths(shape):
        return draw(hnp.arrays(np.int8, shape, elements=st.integers(-16, 16))) / 8

    weights = eighths(slots) if cls.accepts_weights and draw(st.booleans()) else None
    return cls, Bags(eighths((*slots, 3)), draw(hnp.arrays(bool, slots)), weights)


@settings(max_examples=50)
@given(drawn_cases())
def test_whatever_is_drawn_meets_the_reference_and_what_is_masked_does_not_matter(drawn):
    cls, bags = drawn
    ignores_poison(trial_of(cls), bags)
    with contextlib.suppress(SkippedError):  # there is no closed form
        near_reference(trial_of(cls), bags, np.float32)


@pytest.mark.parametrize("name", ["position_sum", "role_filler", "multi_head_attention", "gru", "mixture"])
def test_a_checkpoint_brings_parameters_and_fixed_randomness_back(name, tmp_path, make):
    saved, x = make(name), np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    save_best(tmp_path, nnx.to_pure_dict(nnx.state(saved)))
    fresh = make_combiner(name, num_vectors=4, dim=3, rngs=nnx.Rngs(7))
    state = nnx.state(fresh)
    nnx.replace_by_pure_dict(state, restore_best(tmp_path, nnx.to_pure_dict(state)))
    nnx.update(fresh, state)
    np.testing.assert_array_equal(fresh(x), saved(x))


# --- The command line ---


def test_a_table_says_what_holds_what_does_not_apply_and_why(capsys):
    assert main(["sum"]) == 0
    head, *lines, counts, _, last = capsys.readouterr().out.splitlines()
    assert head == "sum"
    assert len(lines) == len(PROPERTIES) + 1
    assert "  pass  equals its float64 reference" in lines
    assert any(line.startswith("  skip  order has an effect ") and "independent" in line for line in lines)
    assert "0 failed" in counts
    assert last == "1 combiner passed"


def test_options_are_read_as_python_values(capsys):
    assert main(["multi", "combiners=['sum']", "project=True", "dim=2"]) == 0
    assert capsys.readouterr().out.startswith("multi combiners=['sum'] project=True dim=2\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["summ"], "unknown combiner 'summ' (did you mean 'sum'?)"),
        (["no_such_module:Sum"], "no module 'no_such_module'"),
        (["position_sum", "featurs=2"], "no option 'featurs' (did you mean 'features'?)"),
        (["position_sum", "features=0"], "features must be a positive integer or None, got 0"),
        (["abs_difference", "num_vectors=3"], "combines exactly 2 vectors, not 3"),
        (["features=2"], "option 'features' of which combiner?"),
        (["sum", "dim=(1, 2)"], "dim must be an integer"),
        (["--all"], "unknown flag '--all'"),
    ],
)
def test_a_command_line_that_cannot_be_ends_in_one_line_and_exit_code_2(arguments, message, capsys):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert message in output.err
    assert output.err.count("\n") == 1


def test_help_explains_every_property(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {sentence(holds)} " in text for holds in PROPERTIES)


USERS_MODULE = '''
from {package} import Combiner


class Kept(Combiner):
    """The first vector, as declared."""

    name, formula, citation, permutation_invariant = "kept", "y = x_1", "the user", {invariant}

    def combine(self, x, mask, weights):
        return x[..., 0, :]
'''


@pytest.mark.parametrize(("invariant", "code"), [(False, 0), (True, 1)])
def test_a_users_class_in_the_current_folder_is_found_by_a_copy_of_the_package(invariant, code, tmp_path):
    (tmp_path / "vendored").symlink_to(ROOT / "combiners")
    (tmp_path / "users.py").write_text(USERS_MODULE.format(package="vendored", invariant=invariant))
    command = [sys.executable, "-m", "vendored.check", "users:Kept"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("FAIL  order has no effect" in done.stdout) == invariant
    assert "skip  equals its float64 reference" in done.stdout
    assert done.stdout.splitlines()[-1] == ("1 of 1 combiner failed" if invariant else "1 combiner passed")
