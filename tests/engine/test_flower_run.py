import pytest

from fedmed.engine.flower_run import program
from fedmed.errors import UserError


def test_a_program_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="Flower's program flower-nonsense"):
        program("flower-nonsense")
