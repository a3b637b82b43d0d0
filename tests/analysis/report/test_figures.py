"""Figures are drawn where there is something to see, legibly for many arms, and alike for alike results."""

import dataclasses
import io
import itertools

import numpy as np
import pytest
from PIL import Image

from analysis.report import figures, figures_across, figures_data, figures_tuning
from analysis.report.across import across
from analysis.report.decision import decide
from analysis.report.drawing import COLOURS, log_ticks, make_styles, new_figure, short, side_by_side, spread
from analysis.report.loading import load_runs, load_sweep
from analysis.report.statistics import summarise


@pytest.fixture(scope="module")
def experiments(sweep):
    return load_sweep(sweep).experiments


@pytest.fixture(scope="module")
def styles(experiments):
    return make_styles([arm.label for arm in experiments[0].arms])


def size(drawing):
    with Image.open(io.BytesIO(drawing.png)) as image:
        return image.size


def test_every_figure_of_an_experiment_is_drawn_at_a_width_that_a_phone_can_show(experiments, styles):
    experiment = experiments[0]
    summaries, decision = summarise(experiment), decide(experiment)
    drawings = [
        figures.forest(experiment, summaries, decision, styles),
        figures.learning_curves(experiment, styles),
        figures.pareto(experiment, summaries, styles),
        figures_tuning.learning_rates(experiment, styles),
    ]
    assert [drawing.name.split("_")[-1] for drawing in drawings] == ["forest", "epochs", "pareto", "rates"]
    assert {size(drawing)[0] for drawing in drawings} == {960}
    assert figures_data.data_curves(experiment) is None
    assert figures_data.data_curves_across(experiments) == ()


def test_the_same_results_give_the_same_image(experiments, styles):
    first, second = (figures.learning_curves(experiments[0], styles) for _ in range(2))
    assert first.png == second.png


def test_a_figure_without_anything_to_show_is_left_out(make_run):
    (experiment,) = load_runs(
        [make_run("a", "sum", (None, None)), make_run("b", "mean", (None, None))]
    ).experiments
    styles = make_styles(["sum", "mean"])
    summaries = summarise(experiment)
    assert figures.forest(experiment, summaries, decide(experiment), styles) is None
    assert figures.learning_curves(experiment, styles) is None
    assert figures.pareto(experiment, summaries, styles) is None
    assert figures_tuning.learning_rates(experiment, styles) is None


def test_arms_that_differ_in_their_data_are_drawn_against_it(make_run):
    runs = [
        make_run(f"{combiner}{fraction}", combiner, train_fraction=fraction)
        for combiner in ("sum", "mean")
        for fraction in (0.1, 0.5, 1.0)
    ]
    (experiment,) = load_runs(runs).experiments
    assert figures_data.data_curves(experiment).name.endswith("_examples")


def experiments_by_size(make_arm, make_experiment, labels=("sum", "mean"), **options):
    """Makes one experiment per part of the training data, all with the same arms."""
    return [
        make_experiment(
            [
                make_arm(
                    label,
                    [0.7, 0.71, 0.72],
                    num_examples={"train": size, "test": 50},
                    data={"train_fraction": size / 1000},
                    **options,
                )
                for label in labels
            ],
            name=f"reviews_{size}",
        )
        for size in (30, 100, 1000)
    ]


def test_experiments_of_one_task_at_several_sizes_are_drawn_against_the_size(make_arm, make_experiment):
    experiments = experiments_by_size(make_arm, make_experiment)
    (drawing,) = figures_data.data_curves_across(experiments)
    assert drawing.name == "sentiment_made_up_accuracy_examples"
    assert drawing.caption.endswith("From the experiments: reviews_30; reviews_100; reviews_1000.")
    assert figures_data.data_curves(experiments[0]) is None


def test_experiments_that_differ_in_more_than_size_are_not_joined(make_arm, make_experiment):
    small, _, large = experiments_by_size(make_arm, make_experiment)
    other = experiments_by_size(make_arm, make_experiment, dataset="another")[0]
    wide = experiments_by_size(make_arm, make_experiment, model={"dim": 512})[0]
    assert len(figures_data.data_curves_across([small, large])) == 1
    assert figures_data.data_curves_across([other, large]) == ()
    assert figures_data.data_curves_across([wide, large]) == ()


def test_marks_that_would_cover_each_other_stand_side_by_side():
    axes = new_figure(3.0).subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    points = np.array([[0.5, 0.2], [0.5, 0.2], [0.51, 0.21], [0.5, 0.8]])
    shown = side_by_side(axes, points)
    assert np.diff(np.sort(shown[:3, 0])).min() > 0.05
    np.testing.assert_allclose(shown[:3, 0].mean(), points[:3, 0].mean())
    np.testing.assert_allclose(shown[:, 1], points[:, 1])
    np.testing.assert_allclose(shown[3], points[3])


def test_the_pareto_front_leaves_out_what_another_arm_dominates():
    costs = np.array([[1.0, 5.0], [2.0, 4.0], [2.0, 5.0], [3.0, 4.0], [1.0, 5.0]])
    assert figures.pareto_front(costs) == [True, True, False, False, True]


def test_tuning_means_leave_out_the_seeds_that_diverged(experiments):
    arm = experiments[0].arms[0]
    tuning = {**arm.tuning, "scores": [[[0.5, None], [None, None]]]}
    means = figures_tuning.tuning_means(dataclasses.replace(arm, tuning=tuning))
    np.testing.assert_array_equal(means, [[0.5, np.nan]])


def test_figures_across_need_experiments_that_share_arms(experiments, styles):
    over_all = across(experiments)
    assert figures_across.critical_difference(over_all, styles).name == "critical_difference"
    assert figures_across.heat_map(over_all, experiments).name == "heat_map"


def test_arms_are_told_apart_without_colour():
    styles = list(make_styles([f"arm {i}" for i in range(80)]).values())
    assert len(set(styles)) == 80
    assert all(a.marker != b.marker and a.colour != b.colour for a, b in itertools.pairwise(styles))
    assert len({style.marker for style in styles[: len(COLOURS)]}) == len(COLOURS)


def test_names_beside_a_figure_keep_their_distance_and_their_order():
    heights = spread(np.array([0.1, 0.5, 0.5, 0.52, 0.99, 1.0]), 0.1)
    assert np.diff(heights).min() >= 0.1 - 1e-9
    assert heights[0] == pytest.approx(0.1)
    assert heights.max() <= 1.0
    np.testing.assert_allclose(spread(np.zeros(11), 0.1), np.linspace(0, 1, 11), atol=1e-9)


def test_a_logarithmic_axis_has_few_ticks_at_values_that_occur():
    axes = new_figure(2.0).subplots()
    log_ticks(axes, np.array([1000.0, 1010.0, 1500.0, 4000.0, 16000.0, 1e6]))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1k", "16k", "1M"]


@pytest.mark.parametrize(("value", "text"), [(0.003, "0.003"), (12, "12"), (4608, "4.61k"), (1.2e6, "1.2M")])
def test_large_numbers_are_shortened(value, text):
    assert short(value) == text
