"""What replaces MLX's CPU kernels, which are scalar on x86. On Metal and CUDA all of it is MLX's own.

`functions` replaces single functions of an architecture's module. `network` takes over whole models of llama's
kind; `rows` and `strand` decode and read through it. A pass (`passes`) through the decoder blocks (`blocks`, with
`rotary` for positions and `weights` for products) is done by `compiled`, in programs (`program`, `written`, and
`planned` for attention) of code that `native` compiles; or, where none can be, by `plain`, with `reach` for attention,
in NumPy.
"""

from .functions import install, on_cpu, softmax, swiglu, uninstalled

__all__ = ["install", "on_cpu", "softmax", "swiglu", "uninstalled"]
