"""Fixtures of the app's tests."""

from support.rig import launch

__all__ = ["launch"]
