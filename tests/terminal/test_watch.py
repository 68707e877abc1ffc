import json

from fedmed.terminal.watch import sparkline


def test_a_course_goes_from_the_lowest_to_the_highest() -> None:
    assert sparkline([0.0, 0.5, 1.0, 0.25]) == "▁▅█▃"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert json.dumps(sparkline([1, 2]), ensure_ascii=False) == '"▁█"'
