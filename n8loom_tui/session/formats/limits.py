"""How much of a file from elsewhere is taken. Nothing in such a file is believed, its size least of all."""

from __future__ import annotations

LARGEST_FILE = 128 * 1024 * 1024
"""Bytes."""
MOST_MEMORY = 700_000_000
"""Bytes that the values of a JSON file may take, as its brackets and commas let expect."""
MOST_NAMES = 1_000_000
"""In one object of a JSON file."""
MOST_NODES = 300_000
DEEPEST = 2 * MOST_NODES + 100
"""Brackets inside brackets: a chain of nodes needs two for each of them."""
LONGEST_TEXT = 4_000_000
"""Characters of a node; several such texts fit into one row of a session."""
LONGEST_PIECE = 12 * LONGEST_TEXT
"""Bytes of a text in JSON, where a character takes up to twelve. One that is longer, and has a single character beyond
the first 65,536, takes a gigabyte."""
LONGEST_NOTE = 100_000
LONGEST_NAME = 400
"""Characters of a model's name or a title."""
LONGEST_ID = 64
MOST_PIECES = 100_000
"""Tokens of a node whose probabilities are kept."""
LARGEST_TOKEN = 2**31
LATEST = 253_402_300_799.0
"""Seconds since 1970 at the end of the year 9999."""
