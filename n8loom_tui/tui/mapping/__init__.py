"""The picture of a whole tree: which bars it has, and what of them falls on which cell. Knows no widget."""
