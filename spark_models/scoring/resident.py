"""The models that this Python worker process holds: each loaded once, the least used dropped first."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections import OrderedDict
from pathlib import Path

from spark_models.flavors.capabilities import ignore_lost_names
from spark_models.package.reader import open_package
from spark_models.pyfunc.loading import PyFuncModel, load_predictor
from spark_models.scoring import clock
from spark_models.scoring.place import PackageRef
from spark_models.store.cache import release

MOST_MODELS = 8
"""How many models a process keeps; a job that scores more of them side by side reloads."""

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
        _models.move_to_end(key)
        while len(_models) > MOST_MODELS:
            (dropped, _), least_used = _models.popitem(last=False)
            gc.unfreeze()  # a model may refer to itself: only the collector can free it
            if all(content_hash != dropped for content_hash, _ in _models):
                release(Path(least_used.uri))
        return model


def _load(ref: PackageRef) -> PyFuncModel:
    began = time.perf_counter()
    root = ref.root()
    package = open_package(root)
    model = PyFuncModel(load_predictor(root), package.model, str(root))
    if package.pyfunc.get("matrix_input"):
        ignore_lost_names()
    seconds = time.perf_counter() - began
    clock.loaded(seconds)
    _log.info("loaded package %s in %.2f s", ref.content_hash[:12], seconds)
    return model
