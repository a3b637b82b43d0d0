"""Checks how a combiner is found: by name, as a user's own class, its options, errors with the nearest name."""

import inspect

import pytest
from flax import nnx

from combiners import COMBINERS, combiner_class, combiner_options, make_combiner

USERS_MODULE = '''
"""A user's combiners, written outside the project."""

import jax.numpy as jnp
from combiners import Combiner


class Scaled(Combiner):
    """A sum times a fixed number."""

    name = "scaled"
    formula = "y = factor · Σ_i x_i"
    citation = "the user"
    permutation_invariant = True

    def __init__(self, *, num_vectors, dim, rngs=None, factor=2.0):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, factor=factor)
        self.factor = factor

    def combine(self, x, mask, weights):
        return self.factor * jnp.sum(x, axis=-2)


class Undeclared(Combiner):
    name = "undeclared"
    citation = "the user"

    def combine(self, x, mask, weights):
        return x[..., 0, :]


class NoCombiner:
    pass


def function():
    pass
'''


@pytest.fixture
def users_module(tmp_path, monkeypatch):
    """A module of the user's own in a folder on the path, as the current folder is; returns its name."""
    (tmp_path / "users_combiners.py").write_text(USERS_MODULE, encoding="utf-8")
    (tmp_path / "users_broken.py").write_text("import a_module_that_is_missing\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return "users_combiners"


def test_there_are_at_least_forty_five():
    assert len(set(COMBINERS.values())) == len(COMBINERS) >= 45


def test_a_name_is_the_key_of_its_class():
    assert {key: cls.name for key, cls in COMBINERS.items()} == {key: key for key in COMBINERS}


@pytest.mark.parametrize("name", COMBINERS)
def test_every_combiner_says_what_it_is_good_for_and_what_it_loses(name):
    assert COMBINERS[name].use_when
    assert COMBINERS[name].loses


@pytest.mark.parametrize("name", COMBINERS)
def test_a_name_makes_its_class_with_the_sizes_given(name):
    n = COMBINERS[name].arity or 3
    combiner = make_combiner(name, num_vectors=n, dim=5, rngs=nnx.Rngs(0))
    assert type(combiner) is combiner_class(name) is COMBINERS[name]
    assert (combiner.name, combiner.num_vectors, combiner.dim) == (name, n, 5)


# --- Options ---


def test_options_are_found_with_their_defaults():
    assert combiner_options(COMBINERS["position_sum"]) == {"features": None}
    assert combiner_options(COMBINERS["mutan"]) == {"core_width": None, "rank": 2}
    assert combiner_options(COMBINERS["sum"]) == {}


def test_an_option_without_a_default_is_marked_so():
    class Exponent(COMBINERS["sum"]):
        def __init__(self, *, num_vectors, dim, rngs=None, exponent):
            super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)

    assert combiner_options(Exponent) == {"exponent": inspect.Parameter.empty}


def test_an_option_reaches_the_combiner():
    assert make_combiner("position_sum", num_vectors=2, dim=3, rngs=nnx.Rngs(0), features=7).out_dim == 7


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        (
            "position_sum",
            "featurs",
            r"'position_sum' has no option 'featurs' \(did you mean 'features'\?\).*features",
        ),
        ("position_sum", "qqqq", "'position_sum' has no option 'qqqq'; its options are features"),
        ("sum", "features", "'sum' has no option 'features'; it has no options"),
    ],
)
def test_an_unknown_option_is_refused_with_the_known_ones(name, option, message):
    with pytest.raises(ValueError, match=message):
        make_combiner(name, num_vectors=2, dim=3, rngs=nnx.Rngs(0), **{option: 1})


# --- A user's own class ---


def test_a_users_class_is_made_by_module_and_class(users_module):
    scaled = make_combiner(f"{users_module}:Scaled", num_vectors=3, dim=2)
    tripled = make_combiner(f"{users_module}:Scaled", num_vectors=3, dim=2, factor=3.0)
    x = nnx.Rngs(0).params.normal((4, 3, 2))
    assert (scaled(x) == 2 * x.sum(axis=-2)).all()
    assert (tripled(x) == 3 * x.sum(axis=-2)).all()
    assert combiner_options(combiner_class(f"{users_module}:Scaled")) == {"factor": 2.0}


def test_a_users_option_is_suggested_too(users_module):
    with pytest.raises(ValueError, match=r"no option 'facter' \(did you mean 'factor'\?\)"):
        make_combiner(f"{users_module}:Scaled", num_vectors=3, dim=2, facter=3.0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("users_combiners:Scale", r"users_combiners has no 'Scale' \(did you mean 'Scaled'\?\)"),
        ("users_combiners:Qqqq", "users_combiners has no 'Qqqq'$"),
        ("users_combiners:NoCombiner", "'users_combiners:NoCombiner': NoCombiner must be a subclass"),
        ("users_combiners:function", "'users_combiners:function': function must be a subclass"),
        ("users_combiners:Undeclared", "Undeclared must declare formula, permutation_invariant"),
        ("users_combinors:Scaled", "'users_combinors:Scaled': no module 'users_combinors'"),
        ("users_combinors.inner:Scaled", "no module 'users_combinors.inner'"),
        (":Scaled", "':Scaled': expected 'my_module:MyCombiner'"),
        (".users_combiners:Scaled", "'.users_combiners:Scaled': expected 'my_module:MyCombiner'"),
    ],
)
def test_a_users_class_that_cannot_be_is_refused_with_the_reason(name, message, users_module):
    with pytest.raises(ValueError, match=message):
        combiner_class(name)


def test_what_a_users_module_lacks_is_not_taken_for_the_module_itself(users_module):
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_missing"):
        combiner_class("users_broken:Scaled")


# --- Names ---


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("summ", "sum"), ("Mean", "mean"), ("positon_sum", "position_sum"), ("concatenate", "concat")],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=rf"unknown combiner '{name}' \(did you mean '{nearest}'\?\)"):
        make_combiner(name, num_vectors=2, dim=3)


@pytest.mark.parametrize("name", ["", "zzzz"])
def test_a_name_like_none_is_refused_with_all_names(name):
    with pytest.raises(ValueError, match=rf"unknown combiner '{name}'; known are {', '.join(COMBINERS)}"):
        make_combiner(name, num_vectors=2, dim=3)


def test_a_class_that_combines_nothing_is_refused(tmp_path, monkeypatch):
    (tmp_path / "unfinished.py").write_text(
        "import combiners\n\n\nclass Idea(combiners.Combiner):\n    name = 'idea'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="Idea must define combine"):
        combiner_class("unfinished:Idea")
