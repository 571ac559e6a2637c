"""What replaces MLX's CPU kernels, which are scalar on x86. On Metal and CUDA all of it is MLX's own.

`functions` replaces single functions of an architecture's module. `network` takes over whole models of llama's
kind, with `reach` for attention, `rotary` for positions and `weights` for products, in
code that `native` compiles; `rows` and `strand` decode and read through it.
"""

from .functions import install, on_cpu, softmax, swiglu, uninstalled

__all__ = ["install", "on_cpu", "softmax", "swiglu", "uninstalled"]
