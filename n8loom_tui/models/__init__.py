"""From a name to a model that runs: hub, folders, GGUF files, the built-in one, the device's policy.

Importing this package, or any module of it, imports neither MLX nor transformers.
"""
