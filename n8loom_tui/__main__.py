"""`python -m n8loom_tui` is `n8loom-tui`."""

from n8loom_tui.cli import main

main()
