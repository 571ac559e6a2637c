"""Tiny models of mlx-lm's architectures, for tests that must hold for every kind of layer."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from mlx_lm import utils

from .experts import EXPERTS
from .latent import LATENT
from .plain import PLAIN
from .random_weights import randomise
from .recurrent import RECURRENT
from .sizes import CONTEXT, VOCABULARY, WINDOW, Config
from .windows import WINDOWS
from .wrappers import WRAPPERS

__all__ = ["ARCHITECTURES", "CONTEXT", "LEFT_OUT", "VOCABULARY", "WINDOW", "build"]

_GROUPS = (PLAIN, EXPERTS, LATENT, WINDOWS, RECURRENT, WRAPPERS)

ARCHITECTURES: dict[str, Config] = {
    name: {"model_type": name, **config}
    for name, config in sorted((name, config) for group in _GROUPS for name, config in group.items())
}
"""What the `config.json` of each would say, by `model_type`; a name with a dash has layers that the plain one lacks."""

LEFT_OUT: dict[str, str] = {
    "bitnet": "its matrix product is a Metal kernel",
    "muse_spark": "its attention's norms are a Metal kernel",
    "olmo": "importing it ends the process without the package hf_olmo, and with it mlx-lm's code fails: it adds the "
    "mask, a string, to the scores",
    "phi3small": "it writes at token ids from 100256 on, outside of a smaller vocabulary, which ends the process; "
    "with a full one it is not causal: its block-sparse layers add the mask, which is of booleans, to the scores",
}
"""Why the others of mlx-lm are not there."""


def build(name: str, seed: int = 0) -> Any:
    """A fresh random float32 model of an architecture; the same weights for the same seed."""
    config = copy.deepcopy(ARCHITECTURES[name])  # some classes write into what they are given
    model_class, args_class = utils._get_classes(config)
    model = model_class(args_class.from_dict(config))
    randomise(model, np.random.default_rng([seed, *name.encode()]))
    return model
