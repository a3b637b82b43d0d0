"""Large tables are moved to large pages where they lie, and stay what they are."""

import pathlib
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from training.large_pages import use_large_pages


def huge_kib():
    """Memory of this process in large pages."""
    return int(
        re.search(r"AnonHugePages:\s+(\d+) kB", pathlib.Path("/proc/self/smaps_rollup").read_text())[1]
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="large pages are asked for under Linux")
def test_a_large_table_is_moved_in_place_and_a_small_one_is_not():
    setting = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not setting.exists() or "[never]" in setting.read_text():
        pytest.skip("this kernel has no large pages")
    large = jax.block_until_ready(jnp.arange(2.0**25).reshape(-1, 64))
    small = jnp.ones((1000, 64))
    pointer, before = large.unsafe_buffer_pointer(), huge_kib()
    use_large_pages({"small": small})
    assert huge_kib() <= before + 2**11
    use_large_pages({"large": large, "small": small})
    assert large.unsafe_buffer_pointer() == pointer
    np.testing.assert_array_equal(large, np.arange(2.0**25, dtype=np.float32).reshape(-1, 64))
    assert huge_kib() >= 2**17 * 0.8  # of 128 MiB
