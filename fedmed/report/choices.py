"""What a reader chooses on the page: one of several contents is shown, without a script, by the page's style alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A list of options, the first of which is shown. id: of its element; contents are of the class `of-<id>`."""

    id: str
    label: str
    options: Sequence[str]

    @property
    def offered(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.options) > 1


def stylesheet(choices: Iterable[Choice]) -> str:
    """The rules that show what is chosen; where a browser does not know `:has`, the first option."""
    return "".join(_rules(choice.id, len(choice.options)) for choice in choices if choice.offered)


def _rules(id: str, count: int) -> str:
    first = f".of-{id}:not(.o0){{display:none}}"
    chosen = (f'body:has(#{id}>[value="{number}"]:checked) .of-{id}' for number in range(1, count))
    return first + "".join(
        f"{rule}{{display:none}}{rule}.o{number}{{display:contents}}" for number, rule in enumerate(chosen, 1)
    )
