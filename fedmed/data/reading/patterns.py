"""Patterns of paths with named places, `{site}/{class}/{patient}_{}.png`: read from paths, or filled to make them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fedmed.errors import near, refuse

PLACE = re.compile(r"\{([^{}:]*)(?::\.?(\d+))?\}|\*")
"""`{}` and `*` are anything within the name of one folder or file; `{name:.2}` are the first two signs of a name's."""


def compiled(pattern: str, option: str) -> re.Pattern[str]:
    """The regular expression of a pattern, whose groups are its names; raises UserError where it names nothing."""
    names: list[str] = []
    parts, end = [], 0
    for place in PLACE.finditer(pattern):
        parts += [re.escape(pattern[end : place.start()]), _group(place[1] or "", names, option)]
        end = place.end()
    parts.append(re.escape(pattern[end:]))
    if not names:
        fix = "Write it as {site}/{class}/{patient}_{}.png, from the folder dataset.path on."
        raise refuse(option, "a pattern with named places", pattern or "nothing", fix)
    return re.compile("".join(parts), re.IGNORECASE)


def _group(name: str, names: list[str], option: str) -> str:
    if not name:
        return "[^/]*?"
    if not name.isidentifier():
        raise refuse(option, "names of letters, digits and _ in braces", f"{{{name}}}", "Write {site}, for instance.")
    if name in names:
        return f"(?P={name})"
    names.append(name)
    return f"(?P<{name}>[^/]+?)"


def filled(template: str, values: Mapping[str, str], option: str, bare: str = "*") -> str:
    """A template with the values of its names; raises UserError where a name has none. bare: what stands for `{}`."""

    def value(place: re.Match[str]) -> str:
        if not place[1]:
            return bare
        if place[1] not in values:
            raise refuse(option, "names that have values", f"{{{place[1]}}}", near(place[1], values))
        text = values[place[1]]
        return text[: int(place[2])] if place[2] else text

    return PLACE.sub(value, template)
