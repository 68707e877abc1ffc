"""What all figures of a comparison share: its rows, the styles of its arms, and where its files go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fedmed.comparison.rows import Row, Summary
from fedmed.comparison.runs import Comparison
from fedmed.formatting import metric_name
from fedmed.report.figures import style, svg
from fedmed.report.figures.style import ArmStyle
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.figures.tooltips import Tooltip

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureContext:
    """What a figure is drawn from. folder: where its PNG and SVG files go; None for nowhere."""

    summary: Summary
    folder: Path | None = None

    @property
    def comparison(self) -> Comparison:
        """The comparison whose runs are drawn."""
        return self.summary.comparison

    @property
    def arm_styles(self) -> dict[str, ArmStyle]:
        """Arm -> its colour and dashes, the same in all figures."""
        return style.arm_styles(self.comparison.arms)

    @property
    def several(self) -> bool:
        """Whether there are several arms, so that figures have to name them."""
        return len(self.comparison.arms) > 1

    @property
    def metric(self) -> str:
        """The name of the headline metric on axes and in captions."""
        return metric_name(self.summary.headline)

    def rows(self, world: str) -> list[Row]:
        """The rows of the headline metric in a world, one per arm."""
        return [row for row in self.summary.rows if row.world == world and row.metric == self.summary.headline]

    def write(
        self,
        figure: Figure,
        name: str,
        world: str | None,
        *,
        title: str,
        note: str,
        alt: str,
        wide: bool = False,
        tooltips: Sequence[Tooltip] = (),
    ) -> RenderedFigure:
        """The figure on the page, its files numbered by its world where there are several."""
        number = "" if world is None or len(self.comparison.worlds) == 1 else self.comparison.worlds.index(world) + 1
        file = f"{name}_{number}" if number else name
        return svg.render_figure(
            figure, self.folder, name=file, title=title, note=note, alt=alt, wide=wide, tooltips=tooltips
        )
