"""The models that this Python worker process holds: each loaded once, the least used dropped first."""

from __future__ import annotations

import ctypes
import functools
import gc
import logging
import os
import sys
import threading
import time
from collections import OrderedDict
from pathlib import Path

from spark_models.flavors.capabilities import ignore_lost_names
from spark_models.package.reader import open_package
from spark_models.pyfunc.loading import PyFuncModel, load_predictor
from spark_models.scoring import clock
from spark_models.scoring.gpus import take_gpus
from spark_models.scoring.place import PackageRef
from spark_models.store.cache import release

MOST_MODELS = 8
"""How many models a process keeps; a job that scores more of them side by side reloads."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_KEPT = 512 << 20
"""Bytes of freed memory that a process keeps at most, for its next batch."""

_log = logging.getLogger(__name__)
_models: OrderedDict[tuple[str, str | None], PyFuncModel] = OrderedDict()
_lock = threading.Lock()


def resident_model(ref: PackageRef, method: str | None = None) -> PyFuncModel:
    """The package's model in this process, loaded by the first call; safe under threads.

    Raises:
        ShipError: [SHIP_FAILED] the package is not on this host.
    """
    key = (ref.content_hash, method)
    with _lock:
        model = _models.get(key)
        if model is None:
            base = _models.get((ref.content_hash, None)) or _load(ref)
            model = base.with_method(method)
            _models[(ref.content_hash, None)] = base
            _models[key] = model
            # What is loaded stays: without it the looks for garbage, which rows of lists bring on, are shorter.
            gc.freeze()
            _keep_freed_memory()
        _models.move_to_end(key)
        while len(_models) > MOST_MODELS:
            (dropped, _), least_used = _models.popitem(last=False)
            gc.unfreeze()  # a model may refer to itself: only the collector can free it
            if all(content_hash != dropped for content_hash, _ in _models):
                release(Path(least_used.uri))
        return model


@functools.cache
def _keep_freed_memory() -> None:
    """Lets the C library reuse a batch's memory for the next batch, where it would give it back to the system.

    A batch of 500 columns is 40 MB, and pages fresh from the system cost more than to move and score what is in them.
    Left alone where the environment has settings for it, and where the C library is not glibc.
    """
    if sys.platform != "linux" or any(name in os.environ for name in ("MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not mallopt(_M_TRIM_THRESHOLD, _KEPT):
        return
    if not mallopt(_M_MMAP_THRESHOLD, _KEPT // 2):
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc before 2.35 takes


def _load(ref: PackageRef) -> PyFuncModel:
    began = time.perf_counter()
    take_gpus()
    root = ref.root()
    package = open_package(root)
    model = PyFuncModel(load_predictor(root), package.model, str(root))
    if package.pyfunc.get("matrix_input"):
        ignore_lost_names()
    seconds = time.perf_counter() - began
    clock.loaded(seconds)
    _log.info("loaded package %s in %.2f s", ref.content_hash[:12], seconds)
    return model
