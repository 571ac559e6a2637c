"""What the files of a model must hold: how its fragments and states look, found out without computing anything.

Models whose caches are of a kind of their own have no form: copies of these are not kept on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import make_prompt_cache

from n8loom_tui.loom.fragments import Fragment, Snapshot
from n8loom_tui.loom.layers import Layout, flatten

from .files import Label, Raw, Refused, Tensor

_SHORT, _LONG = 2, 40
"""Lengths of two texts; where a state's shape differs between them it grows with the text up to a limit."""

_NAMES = {
    mx.float32: "F32",
    mx.float16: "F16",
    mx.bfloat16: "BF16",
    mx.uint8: "U8",
    mx.int8: "I8",
    mx.bool_: "BOOL",
    mx.uint16: "U16",
    mx.int16: "I16",
    mx.uint32: "U32",
    mx.int32: "I32",
    mx.uint64: "U64",
    mx.int64: "I64",
}
_FLOATS = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}
_BITS = {mx.float32: mx.uint32, mx.float16: mx.uint16, mx.bfloat16: mx.uint16}


def raw(array: mx.array) -> Raw:
    """An evaluated array's numbers as they are stored, a view of MLX's memory."""
    bits = _BITS.get(array.dtype)
    if bits is not None:
        array = array.view(bits)
        mx.eval(array)
    return np.array(array, copy=False)


def unpacked(values: Raw, dtype: str) -> mx.array:
    """The opposite of `raw`, as a copy."""
    array = mx.array(values)
    return array.view(_FLOATS[dtype]) if dtype in _FLOATS else array


@dataclass(frozen=True, slots=True)
class Extents:
    """What an array of a state may look like: type, and the least and greatest of each extent. `optional`: it may
    be unset."""

    dtype: str
    least: tuple[int, ...]
    most: tuple[int, ...]
    optional: bool

    def fit(self, tensor: Tensor) -> bool:
        """Whether such a tensor may be one."""
        return tensor.dtype == self.dtype and (
            len(tensor.shape) == len(self.most)
            and all(
                low <= extent <= high
                for low, extent, high in zip(self.least, tensor.shape, self.most, strict=True)
            )
        )


@dataclass(frozen=True, slots=True)
class Form:
    """`one` is a fragment of a single token. `states` has an entry per array of each leaf that has a state; None for
    one that is never set."""

    one: Fragment
    states: tuple[tuple[Extents | None, ...], ...]

    @staticmethod
    def of(model: Any, layout: Layout) -> Form | None:
        """The form of a model's files; None where there can't be any."""
        if layout.opaque:
            return None
        short = _leaves(model, _SHORT)
        pairs = []
        for index in layout.kv:
            keys, values = short[index].keys, short[index].values
            pairs.append(tuple(mx.zeros((a.shape[1], 1, a.shape[3]), a.dtype) for a in (keys, values)))
        long = _leaves(model, _LONG) if layout.state else short
        try:
            states = tuple(
                tuple(map(_extents, short[index].cache, long[index].cache)) for index in layout.state
            )
            one = Fragment.pack([(keys, values) for keys, values in pairs], 1)
            for array in (*one.keys, *one.values):
                _NAMES[array.dtype]
        except KeyError:
            return None  # numbers of a type that no file can hold
        return Form(one, states)

    def __str__(self) -> str:
        """All of it, for telling one form from another."""
        arrays = zip(self.one.keys, self.one.values, strict=True)
        return repr(([(a.shape, a.dtype, b.shape, b.dtype) for a, b in arrays], self.one.slots, self.states))

    @property
    def per_token(self) -> int:
        """Bytes per token of keys and values."""
        return self.one.nbytes

    # ---------------------------------------------------------------- writing

    def of_fragment(self, fragment: Fragment, start: int, stop: int) -> list[tuple[Tensor, Raw]] | None:
        """The tensors of a fragment's tokens from `start` up to `stop`, as copies; None if it is not of this form."""
        if fragment.slots != self.one.slots:
            return None
        found = []
        for name, array, like in self._arrays(fragment):
            if array.dtype != like.dtype or (array.shape[:2], array.shape[3]) != (
                like.shape[:2],
                like.shape[3],
            ):
                return None
            part = np.array(raw(array)[:, :, start:stop], order="C")
            found.append((Tensor(name, _NAMES[array.dtype], part.shape), part))
        return found

    def _arrays(self, fragment: Fragment) -> list[tuple[str, mx.array, mx.array]]:
        """A fragment's arrays by name, each with its like of a single token."""
        found = []
        for index, pair in enumerate(zip(fragment.keys, fragment.values, strict=True)):
            likes = self.one.keys[index], self.one.values[index]
            names = f"keys.{index}", f"values.{index}"
            found += list(zip(names, pair, likes, strict=True))
        return found

    def of_state(self, state: Snapshot) -> list[tuple[Tensor, Raw]] | None:
        """The tensors of a state, as copies; None if it is not of this form."""
        found = []
        for leaf, arrays in enumerate(state.arrays):
            for index, array in enumerate(arrays):
                if array is not None:
                    values = np.array(raw(array), order="C")
                    dtype = _NAMES.get(array.dtype, "")
                    found.append((Tensor(f"state.{leaf}.{index}", dtype, values.shape), values))
        try:
            self._check_state([tensor for tensor, _ in found])
        except Refused:
            return None
        return found

    # ---------------------------------------------------------------- reading

    def check(self, label: Label, tensors: Sequence[Tensor]) -> None:
        """Raise Refused unless these are the tensors of such a file, but for the token ids."""
        if label.is_state:
            self._check_state(tensors)
            return
        length = label.stop - label.start
        wanted = [
            Tensor(name, _NAMES[like.dtype], (*like.shape[:2], length, like.shape[3]))
            for name, _, like in self._arrays(self.one)
        ]
        if list(tensors) != wanted:
            raise Refused("its tensors are not those of this model")

    def _check_state(self, tensors: Sequence[Tensor]) -> None:
        given = {tensor.name: tensor for tensor in tensors}
        for leaf, arrays in enumerate(self.states):
            for index, extents in enumerate(arrays):
                tensor = given.pop(f"state.{leaf}.{index}", None)
                if tensor is None:
                    fits = extents is None or extents.optional
                else:
                    fits = extents is not None and extents.fit(tensor)
                if not fits:
                    raise Refused("its state is not one of this model")
        if given or len({tensor.name for tensor in tensors}) != len(tensors):
            raise Refused("its state is not one of this model")

    def fragment(self, length: int, found: Mapping[str, Raw]) -> Fragment:
        """The fragment of a file that was checked."""
        keys = tuple(self._filled("keys", found, self.one.keys))
        values = tuple(self._filled("values", found, self.one.values))
        fragment = Fragment(length, keys, values, self.one.slots)
        mx.eval(fragment.keys, fragment.values)
        return fragment

    @staticmethod
    def _filled(name: str, found: Mapping[str, Raw], likes: Sequence[mx.array]) -> list[mx.array]:
        return [unpacked(found[f"{name}.{i}"], _NAMES[like.dtype]) for i, like in enumerate(likes)]

    def state(self, found: Mapping[str, Raw]) -> Snapshot:
        """The state of a file that was checked."""
        state = Snapshot(
            tuple(
                tuple(
                    unpacked(found[name], extents.dtype)
                    if extents is not None and (name := f"state.{leaf}.{index}") in found
                    else None
                    for index, extents in enumerate(arrays)
                )
                for leaf, arrays in enumerate(self.states)
            )
        )
        mx.eval([array for arrays in state.arrays for array in arrays if array is not None])
        return state


def _leaves(model: Any, tokens: int) -> list[Any]:
    """The leaves of a model's caches behind some tokens. Nothing is computed, but for what the model itself asks."""
    caches = make_prompt_cache(model)
    model(mx.array([[0] * tokens]), cache=caches)
    return flatten(caches)


def _extents(short: mx.array | None, long: mx.array | None) -> Extents | None:
    """What both, and all between, look like."""
    if long is None:
        return None
    if short is None or short.ndim != long.ndim:
        short_shape: tuple[int, ...] = (0,) * long.ndim
    else:
        short_shape = short.shape
    least = tuple(a if a == b else 0 for a, b in zip(short_shape, long.shape, strict=True))
    most = tuple(max(a, b) for a, b in zip(short_shape, long.shape, strict=True))
    return Extents(_NAMES[long.dtype], least, most, short is None)
