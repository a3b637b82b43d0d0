"""Where compiled programs are kept between runs."""

import pathlib

import jax
import platformdirs


def use_compilation_cache(folder: str) -> None:
    """Keeps compiled programs between runs: in a folder, the per-user cache folder ('') or nowhere ('off')."""
    if folder == "off":
        jax.config.update("jax_enable_compilation_cache", False)
        return
    folder = folder or str(pathlib.Path(platformdirs.user_cache_dir("combiner-ablations")) / "compiled")
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
