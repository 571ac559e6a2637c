"""A loom on disk: the session file, its writer, and the formats of other programs. No model, no user
interface.
"""
