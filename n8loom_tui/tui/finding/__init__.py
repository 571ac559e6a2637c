"""Finding nodes: by their text, by a few letters of it, by where one has been. Knows no widget."""
