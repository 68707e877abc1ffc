import pickle

import pytest

from fedmed.errors import Fault, UserError, near, refuse, visible


def test_a_fault_is_one_sentence_of_what_was_expected_and_what_to_do() -> None:
    fault = Fault("clients_per_round", "at most 5", "9", "Lower it.")
    assert str(fault) == "clients_per_round: expected at most 5, got 9. Lower it."
    assert str(Fault("clients", "at least 1", "0")) == "clients: expected at least 1, got 0."


def test_faults_are_reported_together_one_per_line() -> None:
    error = UserError(Fault("a", "1", "2"), Fault("b", "3", "4"))
    assert str(error).splitlines() == ["a: expected 1, got 2.", "b: expected 3, got 4."]
    assert len(error.faults) == 2


def test_an_error_survives_the_way_from_a_worker() -> None:
    error = refuse("a", "1", 2, "Do.")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.faults, str(again)) == (UserError, error.faults, str(error))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("fedprx", "Did you mean fedprox?"),
        ("fedavgg", "Did you mean fedavg?"),
        ("zzz", "Known: fedavg, fedprox, moon."),
    ],
)
def test_near_misses_are_named_else_all_that_is_known(given: str, sentence: str) -> None:
    assert near(given, ["moon", "fedprox", "fedavg"]).startswith(sentence)


def test_what_a_stranger_wrote_steers_no_terminal() -> None:
    text = "\x1b]8;;http://evil\x07a\u202eb\x9b1m\r\x00 é\tx\ny"
    assert visible(text) == r"\x1b]8;;http://evil\x07a\u202eb\x9b1m\r\x00" + " é\tx\ny"
    assert "\x1b" not in str(refuse("run", "text", text))
