"""Fragments on disk, so that a path goes on at once after the program was closed.

A folder of safetensors files per model. A file holds the keys and values of a span of tokens, or the state behind
a path, and the token ids of the whole path down to there. Nothing here imports a user interface or a session; the
engine's thread owns everything but the writer, which sees plain bytes alone.
"""
