"""What replaces MLX's CPU kernels, which are scalar on x86. On Metal and CUDA all of it is MLX's own."""
