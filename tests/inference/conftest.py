"""The small runs of the tests of runs."""

from tests.run.conftest import fedmed, run

__all__ = ["fedmed", "run"]
