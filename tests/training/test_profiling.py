"""Where the time of a step goes: an operation that dominates is found, shares add up, training is left alone."""

import functools
import json
import os
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import pytest

from training import print_profile, run
from training.compilation import use_compilation_cache
from training.profile_trace import (
    COPIES,
    LOOPS,
    OPTIMISER,
    OUTSIDE,
    PRODUCTS,
    RANDOM,
    REST,
    ROWS,
    Instruction,
    Operation,
    Run,
    purpose,
    time_by_operation,
)
from training.profiling import profiled


def product(x):
    return jnp.tanh(x @ x)


def optimiser(x):
    with jax.named_scope("optimiser"):
        return x - 0.1 * x / (jnp.sqrt(x * x) + 1e-3)


def rows(x):
    ids = jnp.arange(20_000) * 37 % len(x)
    return x.at[ids].add(1.0, mode="promise_in_bounds")


def draws(x):
    noise = jax.random.uniform(jax.random.key(x[0, 0].astype(int)), (300, 700))
    return x.at[:300].add(noise)


class State(types.SimpleNamespace):
    """A number of steps, and what they change."""


jax.tree_util.register_pytree_node(
    State, lambda state: ((state.step, state.x), None), lambda _, leaves: State(step=leaves[0], x=leaves[1])
)


def profile(body, folder, rounds=3, seconds=30.0, shape=(4_000, 700)):
    """Profiles some rounds of ten steps of a body on an array and returns profile.json."""

    @jax.jit
    def train(state):
        return State(step=state.step + 10, x=jax.lax.fori_loop(0, 10, lambda _, x: body(x), state.x))

    use_compilation_cache("off")  # as a run that is profiled does
    state = State(step=jnp.zeros(1, jnp.int32), x=jnp.ones(shape))
    with profiled(lambda state, _: (train(state), {}), rounds, folder, seconds) as train_round:
        for done in range(rounds):
            state, _ = train_round(state, done)
    assert state.step[0] == 10 * rounds
    return json.loads((folder / "profile.json").read_text())


@pytest.mark.parametrize(
    ("body", "expected"), [(product, PRODUCTS), (optimiser, OPTIMISER), (draws, RANDOM), (rows, ROWS)]
)
def test_the_work_that_dominates_a_program_dominates_its_profile(body, expected, tmp_path):
    shape = (700, 700) if body is product else (4_000, 700)
    found = profile(body, tmp_path / "profile", shape=shape)
    of_program = {name: row["ms"] for name, row in found["purposes"].items() if name not in (OUTSIDE, COPIES)}
    assert max(of_program, key=of_program.get) == expected, found["purposes"]
    assert of_program[expected] > 0.5 * sum(of_program.values())


def test_shares_add_up_to_the_time_of_a_step(tmp_path):
    found = profile(optimiser, tmp_path / "profile")
    assert sum(row["share"] for row in found["purposes"].values()) == pytest.approx(1)
    assert sum(row["ms"] for row in found["purposes"].values()) == pytest.approx(found["step_ms"])
    assert all(row["share"] >= 0 for row in found["purposes"].values())
    # Two of the three rounds were traced, ten steps each.
    assert found["step_ms"] * 20 == pytest.approx(1e3 * found["seconds"], rel=0.5)


def test_a_trace_that_ends_within_a_round_is_a_profile_too(tmp_path):
    found = profile(optimiser, tmp_path / "profile", rounds=2, seconds=0.02)
    assert 0.02 <= found["seconds"] < 30
    assert found["purposes"][OPTIMISER]["ms"] > 0


def test_a_single_round_is_traced_itself_and_none_leaves_no_profile(tmp_path, capsys):
    assert profile(optimiser, tmp_path / "one" / "profile", rounds=1)["step_ms"] > 0
    print_profile(tmp_path / "one")
    assert OPTIMISER in capsys.readouterr().out
    with profiled(lambda state, _: (state, {}), 3, tmp_path / "none" / "profile"):
        pass
    print_profile(tmp_path / "none")
    assert "nothing was left to train" in capsys.readouterr().out


def test_a_training_that_fails_ends_its_trace_and_keeps_what_was_traced(tmp_path):
    state = State(step=jnp.zeros(1, jnp.int32), x=jnp.ones(8))

    def train(state, done):
        if done == 2:
            raise KeyboardInterrupt
        return State(step=state.step + 1, x=jnp.sin(state.x)), {}

    def train_until_it_fails(state):
        with profiled(train, 9, tmp_path / "profile") as train_round:
            for done in range(9):
                state, _ = train_round(state, done)

    with pytest.raises(KeyboardInterrupt):
        train_until_it_fails(state)
    assert json.loads((tmp_path / "profile" / "profile.json").read_text())["step_ms"] > 0
    jax.profiler.start_trace(str(tmp_path / "again"))  # raises while another trace is on
    jax.profiler.stop_trace()


A, B, LOOP = (Operation(0, name) for name in ("a", "b", "loop"))
divide = functools.partial(time_by_operation, control=frozenset({LOOP}))


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([Run(A, 0, 4, 4), Run(B, 4, 10, 10)], {A: 4, B: 6}),
        ([Run(A, 0, 6, 6), Run(B, 2, 6, 6)], {A: 4, B: 2}),  # two at a time: half each
        ([Run(A, 0, 2, 2), Run(B, 8, 10, 10)], {A: 2, B: 2}),  # nobody's time is left out
        ([Run(LOOP, 0, 10, 10), Run(A, 1, 4, 4)], {A: 3, LOOP: 7}),
        ([Run(A, 0, 1, 9), Run(B, 3, 5, 5)], {A: 7, B: 2}),  # on another thread, while none is seen to run
        ([Run(LOOP, 0, 1, 9), Run(A, 2, 5, 5)], {A: 3, LOOP: 6}),
    ],
)
def test_every_moment_is_given_out_once(runs, expected):
    assert divide(runs) == expected
    assert divide(runs[::-1]) == expected


@pytest.mark.parametrize(
    ("code", "origin", "inner", "expected"),
    [
        ("while", "jit(f)/optimiser/while", (), LOOPS),
        ("dot", "jit(f)/jvp()/dot_general", (), PRODUCTS),
        ("fusion", "jit(f)/add", (("dot", "jit(f)/dot_general"), ("add", "jit(f)/add")), PRODUCTS),
        ("fusion", "jit(f)/transpose(jvp())/scatter-add", (("broadcast", ""),), ROWS),
        ("fusion", "jit(f)/optimiser/add", (("add", "jit(f)/optimiser/add"),), OPTIMISER),
        ("fusion", "", (("multiply", "jit(f)/optimiser/mul"), ("add", "")), OPTIMISER),
        ("copy", "", (), COPIES),
        ("fusion", "jit(f)/batches/jit(_uniform)/mul", (("multiply", ""),), "order and examples of batches"),
        ("fusion", "jit(f)/validation/dot_general", (("dot", ""),), "validation"),
        ("reduce", "jit(f)/reduce_sum", (), REST),
    ],
)
def test_what_an_operation_is_for(code, origin, inner, expected):
    assert purpose(Instruction(code, origin, inner)) == expected


def test_a_profiled_run_comes_to_the_same_results(config, tmp_path, capsys):
    plain = run(config, tmp_path / "plain")
    traced = run(config, tmp_path / "traced", profile=True)
    assert traced["metrics"] == plain["metrics"]
    assert (tmp_path / "traced/metrics.jsonl").read_text() == (tmp_path / "plain/metrics.jsonl").read_text()
    run(config, tmp_path / "again", profile=True)  # whose program could be had from the cache
    found = json.loads((tmp_path / "again/profile/profile.json").read_text())
    assert {name for name, row in found["purposes"].items() if row["ms"] > 0} >= {
        OPTIMISER,
        RANDOM,
        ROWS,
        REST,
    }
    print_profile(tmp_path / "again")
    assert "where a step's" in capsys.readouterr().out
    assert not (tmp_path / "plain/profile").exists()


def test_streamed_examples_can_be_profiled(config, tmp_path):
    streamed = config.copy_and_resolve_references()
    streamed.data.max_resident_bytes = 4096
    run(streamed, tmp_path / "run", profile=True)
    found = json.loads((tmp_path / "run/profile/profile.json").read_text())
    assert found["purposes"][OPTIMISER]["ms"] > 0


def test_starting_does_not_load_what_a_plain_run_does_not_need():
    heavy = ["matplotlib", "pandas", "scipy.stats", "sklearn", "tensorboardX", "tensorflow", "ray"]
    code = f"import sys, train; print([name for name in {heavy} if name in sys.modules])"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == "[]"
