r"""A comparison as a LaTeX table, for `\input` in a paper that loads booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fedmed.comparison.rows import Row, Summary
from fedmed.formatting import defined_share, number, p_value_text

ESCAPES = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "[": "{[}", "]": "{]}",
})  # fmt: skip
"""Signs that mean something to LaTeX; brackets too, which after a line's end would be its optional argument."""


def latex(summary: Summary) -> str:
    r"""A `table` with a line per arm and a block per world: mean and sd of every metric, difference and Holm's p.

    Bold is the best of a world, underlined what is not significantly worse. Needs `\usepackage{booktabs}`.
    """
    metrics = list(summary.metrics)
    headline, reference = summary.headline, summary.comparison.reference
    header = ["Arm", "Seeds", *metrics, f"{headline} - {reference}", "p (Holm)"]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{_caption(summary)}}}",
        r"  \label{tab:summary}",
        f"  \\begin{{tabular}}{{lr{'c' * len(metrics)}cr}}",
        r"    \toprule",
        _line([escape(name) for name in header]),
        *(line for world in summary.comparison.worlds for line in _world(summary, world, len(header))),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return text.translate(ESCAPES)


def _world(summary: Summary, world: str, columns: int) -> Iterator[str]:
    rows = {(row.arm, row.metric): row for row in summary.rows if row.world == world}
    yield r"    \midrule"
    if len(summary.comparison.worlds) > 1:
        yield _line([rf"\multicolumn{{{columns}}}{{l}}{{\emph{{{escape(world)}}}}}"])
    for arm in summary.comparison.arms:
        mine = [rows.get((arm, metric)) for metric in summary.metrics]
        if any(mine):
            yield _line([escape(arm), *_cells(mine)])


def _cells(mine: Sequence[Row | None]) -> list[str]:
    """Seeds, every metric, and the headline's difference and p; the headline is the first."""
    head = mine[0]
    seeds = str(max(row.n for row in mine if row is not None))
    return [seeds, *map(_mean, mine), _difference(head), _probability(head)]


def _mean(row: Row | None) -> str:
    if row is None:
        return "--"
    mean = {"best": r"\textbf{%s}", "near": r"\underline{%s}", "": "%s"}[row.mark] % number(row.mean)
    spread = "" if row.sd is None else f" $\\pm$ {number(row.sd)}"
    return f"{mean}{spread}{defined_share(row.defined, row.of)}"


def _probability(row: Row | None) -> str:
    return "" if row is None or row.p_holm is None else escape(p_value_text(row.p_holm))


def _difference(row: Row | None) -> str:
    if row is None or row.difference is None:
        return ""
    if row.dlow is None or row.dhigh is None:
        return f"${row.difference:+.3f}$"
    return f"${row.difference:+.3f}$ {{[}}${row.dlow:+.3f}$, ${row.dhigh:+.3f}${{]}}"


def _line(cells: Sequence[str]) -> str:
    return f"    {' & '.join(cells)} \\\\"


def _caption(summary: Summary) -> str:
    marked = any(row.mark for row in summary.rows)
    marks = r" \textbf{Bold}: best of its world; \underline{underlined}: not significantly worse." if marked else ""
    paired = f"paired difference to {escape(summary.comparison.reference)} with its 95\\,\\% interval"
    return f"Mean $\\pm$ standard deviation over seeds; {paired}.{marks}"
