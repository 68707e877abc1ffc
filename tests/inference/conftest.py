"""The small runs of the tests of runs."""

from tests.run.conftest import run

__all__ = ["run"]
