"""Numbers and names as sentences and cells say them."""

from __future__ import annotations

from math import isfinite

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

NAMES = {"auc": "AUC", "auprc": "AUPRC", "map": "mAP", "dice": "Dice", "iou": "IoU", "f1": "F1", "ece": "ECE"}
NAMES |= {"hd95": "HD95", "assd": "ASSD", "hd95_penalised": "HD95 penalised"}


def metric_name(name: str) -> str:
    """`test.balanced_accuracy` as `test balanced accuracy`."""
    scope, _, metric = name.rpartition(".")
    said = NAMES.get(metric, metric.replace("_", " "))
    return SCOPES[scope].format(said) if scope in SCOPES else f"{scope.replace('.', ' ')} {said}".strip()


def value(number: float | None, digits: int = 3) -> str:
    """A metric; `-` where it is not known."""
    return "-" if number is None or not isfinite(number) else minus(f"{number:.{digits}f}")


def signed(number: float | None, digits: int = 3) -> str:
    """A difference with its sign."""
    return "-" if number is None or not isfinite(number) else minus(f"{number:+.{digits}f}")


def interval(low: float | None, high: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """`[0.512, 0.634]`; empty where it is not known."""
    if low is None or high is None or not (isfinite(low) and isfinite(high)):
        return ""
    say = signed if sign else value
    return f"[{say(low, digits)}, {say(high, digits)}]"


def probability(p: float | None) -> str:
    """A p value with three decimals, or `< 0.001`."""
    if p is None or not isfinite(p):
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def minus(text: str) -> str:
    """Numbers with a true minus sign."""
    return text.replace("-", "\N{MINUS SIGN}")


def listed(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
