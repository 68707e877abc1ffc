from fedmed.comparison.runs import POOLED
from fedmed.report.figures import style


def test_every_arm_has_a_style_of_its_own() -> None:
    arms = [f"arm{number}" for number in range(12)]
    arm_styles = style.arm_styles([*arms, POOLED])
    assert len({(each.color, str(each.dash)) for each in arm_styles.values()}) == 13
    assert arm_styles[POOLED].color == style.REFERENCES[POOLED]
    assert all(each.color in style.THEME for each in arm_styles.values())
