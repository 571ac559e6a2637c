"""Measuring: this engine, mlx-lm's batch generator and the bare forward pass, side by side in one run."""
