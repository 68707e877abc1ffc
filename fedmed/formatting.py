"""Numbers, lists and names of metrics as people read them, in a terminal, on a page and in a file."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite


def number(value: float | int | None) -> str:
    """A metric's value with three decimals (one from 10 on); `-` where it is not defined."""
    if value is None or not isfinite(value):
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def defined_share(defined: float | None, of: float | None) -> str:
    """` (3 of 5)`, behind a mean over fewer than there are; empty where it is over all, or where nobody counted."""
    return "" if defined is None or of is None or defined >= of else f" ({defined:.3g} of {of:.3g})"


def byte_size(bytes: float) -> str:
    """Bytes in decimal units: `66.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if bytes < 1000:
            return f"{bytes:.0f} B" if unit == "B" else f"{bytes:.1f} {unit}"
        bytes /= 1000
    return f"{bytes:.1f} TB"


def duration(seconds: float) -> str:
    """A time that was measured: `43 ms`, `1.24 s`, `24.1 s`, `2:05 min`, `1:02:05 h`."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    return f"{clock(seconds)} {'min' if seconds < 3599.5 else 'h'}"


def clock(seconds: float) -> str:
    """A time on a clock: `0:19`, `2:05`, `1:02:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(value: int, noun: str) -> str:
    """`1 client`, `10 clients`."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def percent(share: float) -> str:
    """A share of 1 as `63 %`; `-` where it is not defined."""
    return f"{100 * share:.0f} %" if isfinite(share) else "-"


def compact_count(value: float) -> str:
    """A count in at most five characters: `9999`, `12.3k`, `20k`, `1.2M`."""
    if value < 1e4:
        return f"{value:.0f}"
    scaled, unit = (value / 1e3, "k") if value < 1e6 else (value / 1e6, "M")
    digits = f"{scaled:.1f}" if scaled < 100 else f"{scaled:.0f}"
    return digits.removesuffix(".0") + unit


def first_few(names: Sequence[str], most: int = 4) -> str:
    """`a, b, c, d and 7 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


SCOPES = {
    "test": "test {}",
    "client.mean": "mean client {}",
    "client.worst": "worst client {}",
    "client": "{} on the client's test images",
    "val": "{} on the client's validation images",
    "best.test": "test {} of the best round",
    "adapted.mean": "mean adapted {}",
    "adapted.worst": "worst adapted {}",
}
"""How a metric is named by its scope."""

OVER_GROUPS = {"mean": "mean {} by {}", "worst": "worst {} by {}", "gap": "gap in {} by {}"}
"""How a metric is named that is over all groups of an attribute."""

NAMES = {"auc": "AUC", "auprc": "AUPRC", "map": "mAP", "dice": "Dice", "iou": "IoU", "f1": "F1", "ece": "ECE"}
NAMES |= {"hd95": "HD95", "assd": "ASSD", "hd95_penalised": "HD95 penalised", "surface_dice": "surface Dice"}
NAMES |= {"lesion_f1": "lesion F1"}


def metric_name(name: str) -> str:
    """`test.balanced_accuracy` as `test balanced accuracy`."""
    scope, _, metric = name.rpartition(".")
    words = NAMES.get(metric, metric.replace("_", " "))
    if scope in SCOPES:
        return SCOPES[scope].format(words)
    kind, _, part = scope.partition(".")
    attribute, _, group = part.partition(".")
    if kind == "group" and group:
        return OVER_GROUPS.get(group, "{} of {} {}").format(words, attribute, group)
    return f"{scope.replace('.', ' ')} {words}".strip()


def value(number: float | None, digits: int = 3) -> str:
    """A metric's value with a true minus sign; `-` where it is not known."""
    return "-" if number is None or not isfinite(number) else with_minus_sign(f"{number:.{digits}f}")


def signed(number: float | None, digits: int = 3) -> str:
    """A difference with its sign, `+0.012`; `-` where it is not known."""
    return "-" if number is None or not isfinite(number) else with_minus_sign(f"{number:+.{digits}f}")


def interval(low: float | None, high: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """`[0.512, 0.634]`; empty where it is not known."""
    if low is None or high is None or not (isfinite(low) and isfinite(high)):
        return ""
    say = signed if sign else value
    return f"[{say(low, digits)}, {say(high, digits)}]"


def p_value_text(p: float | None) -> str:
    """A p value with three decimals, or `< 0.001`."""
    if p is None or not isfinite(p):
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def with_minus_sign(text: str) -> str:
    """The text with a true minus sign in place of each hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")


def joined(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
