"""Asks the kernel for large pages under large tables: rows in no order then miss its page tables less often."""

import ctypes
import sys
from typing import Any

import jax

_SMALLEST = 2**26  # bytes; below, the tables' pages are known to the processor anyway
_PAGE = 2**12
# Linux, asm-generic/mman-common.h
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25


def use_large_pages(tree: Any) -> None:
    """Moves the large arrays of a tree to large pages, in place, on a CPU under Linux; elsewhere it does nothing.

    What the kernel refuses is left as it is. The engine donates its state, so that arrays stay where they are for a
    whole training.
    """
    if not sys.platform.startswith("linux") or jax.default_backend() != "cpu":
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for array in jax.tree.leaves(tree):
        for shard in array.addressable_shards if isinstance(array, jax.Array) else ():
            if shard.data.nbytes < _SMALLEST:
                continue
            first = shard.data.unsafe_buffer_pointer()
            start = -(-first // _PAGE) * _PAGE
            length = (first + shard.data.nbytes - start) // _PAGE * _PAGE
            for advice in (_MADV_HUGEPAGE, _MADV_COLLAPSE):
                madvise(start, length, advice)
