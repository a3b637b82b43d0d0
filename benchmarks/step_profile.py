"""What a training step of each task spends its time on, by the trace that `train.py --profile` takes, too.

  python -m benchmarks.step_profile
  python -m benchmarks.step_profile --quick

The trainings of `this project` in the other benchmarks, one after the other. Tracing slows a step down; shares are
those of the traced step, whose time is given beside them.
"""

import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax

from benchmarks import categorical, mnist, order, sentiment
from benchmarks.measure import describe_machine, machine_line, parser, save
from benchmarks.ours import EngineTraining
from benchmarks.pages import milliseconds
from training.compilation import use_compilation_cache
from training.profile_trace import PURPOSES
from training.profiling import summarise_trace, trace_options

SHORT_STEPS, LONG_STEPS, QUICK_STEPS, WARM_EPOCHS = 500, 50, 5, 2


def main() -> None:
    """Traces them and writes benchmarks/results/step_profile.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    use_compilation_cache("off")  # the operations of a program from the cache have lost their names
    short, long = (QUICK_STEPS, QUICK_STEPS) if quick else (SHORT_STEPS, LONG_STEPS)
    profiles = {name: _profile(make()) for name, make in _trainings(short, long).items()}
    machine = describe_machine()
    save("step_profile", {"machine": machine, "profiles": profiles}, _page(profiles, machine), quick=quick)


def _trainings(short: int, long: int) -> dict[str, Callable[[], EngineTraining]]:
    """Returns name -> what makes a training with so many steps an epoch, short or long ones."""

    def of_bags(sparse: str, vocabulary: int) -> Callable[[], EngineTraining]:
        return lambda: EngineTraining(sentiment.make_config(sparse), sentiment.make_bags(vocabulary, short))

    def of_sentences(combiner: str) -> Callable[[], EngineTraining]:
        return lambda: EngineTraining(order.make_config(combiner), order.make_sentences(long))

    return {
        "sentiment, 20,000 words, dense": of_bags("off", 20_000),
        "sentiment, 20,000 words, exact": of_bags("exact", 20_000),
        "sentiment, 20,000 words, lazy": of_bags("lazy", 20_000),
        "sentiment, 200,000 words, exact": of_bags("exact", 200_000),
        "users and items": lambda: EngineTraining(
            categorical.make_config("auto", 128),
            # Many steps: at the end of an epoch a million rows are kept, if they are the best so far.
            categorical.make_ratings(categorical.USERS, categorical.ITEMS, 8 * short, 128),
        ),
        "MNIST": lambda: EngineTraining(mnist.make_config(), mnist.make_images(min(short, mnist.STEPS))),
        "order, GRU": of_sentences("gru"),
        "order, transformer": of_sentences("transformer"),
    }


def _profile(training: EngineTraining) -> dict[str, Any]:
    """Returns what `training.profiling.summarise_trace` says of one epoch."""
    for _ in range(WARM_EPOCHS):
        training.take(training.steps)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=trace_options()):
            began = time.perf_counter()
            training.take(training.steps)
            seconds = time.perf_counter() - began
        (trace,) = pathlib.Path(folder).glob("plugins/profile/*/*.xplane.pb")
        return summarise_trace(trace, seconds, seconds / training.steps)


def _page(profiles: dict[str, dict[str, Any]], machine: dict[str, Any]) -> str:
    def share(profile: dict[str, Any], purpose: str) -> float:
        return profile["purposes"][purpose]["share"]

    columns = [name for name in PURPOSES if max(share(one, name) for one in profiles.values()) >= 0.005]
    lines = [
        "# What a training step spends its time on",
        "",
        "Shares of one traced epoch. Where operations run side by side on several cores, they share the time.",
        "",
        f"| | ms per step | {' | '.join(columns)} |",
        f"|---|---:|{'---:|' * len(columns)}",
    ]
    for name, one in profiles.items():
        cells = [milliseconds(one["step_ms"] / 1e3), *(f"{share(one, column):.0%}" for column in columns)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", machine_line(machine), ""])


if __name__ == "__main__":
    main()
