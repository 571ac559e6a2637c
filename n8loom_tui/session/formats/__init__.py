"""Sessions in other programs' formats, and back. One module a format; none of them needs a model."""

from .exporting import export_loaded, export_session, write_foreign
from .format import Format
from .gather import Chosen
from .importing import import_file, read_foreign
from .plant import Planted
from .registry import FORMATS, find_format, readable, writable

__all__ = [
    "FORMATS",
    "Chosen",
    "Format",
    "Planted",
    "export_loaded",
    "export_session",
    "find_format",
    "import_file",
    "read_foreign",
    "readable",
    "writable",
    "write_foreign",
]
