from __future__ import annotations

from fedmed.report.choices import Choice, stylesheet


def test_the_first_option_shows_without_has_and_every_other_has_its_rules() -> None:
    rules = stylesheet([Choice(id="metric", label="Metric", options=["a", "b", "c"])])
    assert rules.startswith(".of-metric:not(.o0){display:none}")
    for number in (1, 2):
        chosen = f'body:has(#metric>[value="{number}"]:checked) .of-metric'
        assert f"{chosen}{{display:none}}{chosen}.o{number}{{display:contents}}" in rules


def test_what_leaves_no_choice_needs_no_rule() -> None:
    assert (
        stylesheet([Choice(id="metric", label="Metric", options=["a"]), Choice(id="arm", label="Arm", options=[])])
        == ""
    )
