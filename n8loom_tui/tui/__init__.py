import os

os.environ.setdefault("TEXTUAL_FPS", "240")
"""How many pictures a second Textual draws at most. One that is wanted right after another, the answer to a key after
one of what streams, waits up to two of these periods: 33 ms at Textual's own 60. Read when Textual is imported."""
