"""Floors follow from counted work and measured rates alone: counted by hand here, with rates that are made up."""

import pytest

from benchmarks.limits import (
    Cost,
    dense_adam,
    dense_layers,
    embedding,
    floor,
    gru,
    trained_product,
    transformer,
)


class MadeUp:
    """1 GFLOP/s, 1 GB/s, and a microsecond for a row read, two for a row written."""

    def sgemm(self, product):
        return 1e9

    def bandwidth(self, working_set):
        return 1e9

    def row_seconds(self, table_rows, width, rows):
        return 1e-6 * rows, 2e-6 * rows


def test_a_floor_is_products_optimiser_and_rows_one_after_the_other():
    cost = Cost(products=((2, 3, 4),), stream_bytes=1000, working_set=500)
    parts = floor(cost + embedding(10**6, 64, 100, sparse=True), MadeUp())
    assert parts["products"] == pytest.approx(2 * 2 * 3 * 4 / 1e9)
    assert parts["optimiser"] == pytest.approx(1e-6)
    # A row, its moments beside it, is read and written.
    assert parts["rows"] == pytest.approx(100e-6 + 200e-6)
    assert parts["total"] == pytest.approx(parts["products"] + parts["optimiser"] + parts["rows"])


def test_nothing_to_do_takes_no_time():
    assert floor(Cost(), MadeUp())["total"] == 0


def test_a_trained_product_has_the_gradients_that_are_needed():
    assert trained_product(2, 3, 4) == ((2, 3, 4), (3, 2, 4), (2, 4, 3))
    assert trained_product(2, 3, 4, input_gradient=False) == ((2, 3, 4), (3, 2, 4))


def test_adam_goes_over_dense_parameters_seven_times():
    cost = dense_adam(1000)
    assert cost.stream_bytes == 7 * 4 * 1000
    assert cost.working_set == 4 * 4 * 1000


def test_a_dense_update_costs_the_whole_table_and_a_sparse_one_its_rows():
    small, large = (
        [embedding(rows, 64, 4000, sparse=sparse) for sparse in (False, True)] for rows in (20_000, 2_000_000)
    )
    seconds = [[floor(cost, MadeUp())["total"] for cost in costs] for costs in (small, large)]
    assert seconds[1][0] > 50 * seconds[0][0]
    assert seconds[1][1] == seconds[0][1]


def test_the_1024_512_10_network_needs_207_million_operations_where_784_pixels_are_read():
    cost = dense_layers(128, (1024, 512, 10), read_inputs=784, input_gradient=False)
    operations = sum(2 * m * k * n for m, k, n in cost.products)
    assert operations == 2 * 128 * (2 * 784 * 512 + 3 * 512 * 10)
    assert cost.stream_bytes == 28 * (1025 * 512 + 513 * 10)


def test_a_recurrence_multiplies_its_state_once_per_word_and_its_inputs_at_once():
    cost = gru(batch=8, length=5, width=4)
    assert cost.products.count((8, 4, 12)) == 5
    assert (8 * 5, 4, 12) in cost.products
    # 3 maps of inputs and states and one bias each.
    assert cost.stream_bytes == 28 * 3 * (4 * 4 + 4 * 4 + 4)


def test_a_transformer_layer_has_three_products_for_every_product_forward():
    cost = transformer(batch=2, length=8, width=16, heads=4, hidden=64)
    forward = 2 * 2 * 8 * (16 * 48 + 8 * 16 + 8 * 16 + 16 * 16 + 2 * 16 * 64)
    assert sum(2 * m * k * n for m, k, n in cost.products) == 3 * forward
