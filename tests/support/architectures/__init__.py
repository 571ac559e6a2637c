"""Tiny models of mlx-lm's architectures, for tests that must hold for every kind of layer."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from mlx_lm import utils

from .plain import PLAIN
from .random_weights import randomise
from .sizes import CONTEXT, VOCABULARY, WINDOW, Config

__all__ = ["ARCHITECTURES", "CONTEXT", "LEFT_OUT", "VOCABULARY", "WINDOW", "build"]

ARCHITECTURES: dict[str, Config] = {
    name: {"model_type": name, **config} for name, config in sorted({**PLAIN}.items())
}
"""The configuration of each architecture that runs on a plain CPU, by the name of its module in mlx-lm."""

LEFT_OUT: dict[str, str] = {}
"""Why the others are not there, by the name of the module in mlx-lm."""


def build(name: str, seed: int = 0) -> Any:
    """A fresh random float32 model of an architecture; the same weights for the same seed."""
    config = copy.deepcopy(ARCHITECTURES[name])  # some classes write into what they are given
    model_class, args_class = utils._get_classes(config)
    model = model_class(args_class.from_dict(config))
    randomise(model, np.random.default_rng([seed, *name.encode()]))
    return model
