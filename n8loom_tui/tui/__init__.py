import os

os.environ.setdefault("TEXTUAL_FPS", "120")
"""How many pictures a second Textual draws at most. At its own 60 a key that comes right after a picture of what
streams waits 17 ms for the next one. Read when Textual is imported."""
