"""What the folders above images stand for, guessed from their names: split, site, class or patient."""

from __future__ import annotations

from collections.abc import Sequence

from fedmed.data.examples import TEST, TRAIN, VAL
from fedmed.errors import UserError, refuse

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VAL),
    **dict.fromkeys(("test", "testing"), TEST),
}
"""Names of splits, in any case."""

Folders = tuple[str, ...]


def roles_of(folders: Sequence[Folders], *, masked: bool, where: str) -> dict[str, int]:
    """The level of folders (from 0) that says `split`, `site`, `class` or `patient`, as far as there is one.

    folders: those of each image, below the set's folder. masked: whether there are masks, so that no level is a class.
    Raises UserError where levels differ in number, or are too many to guess.
    """
    depths = {len(each): each for each in folders}
    if len(depths) > 1:
        got = " and ".join("/".join((*each, "...")) for _, each in sorted(depths.items())[:2])
        raise _unclear(where, "images at one depth of folders", got)
    names = [{each[level] for each in folders} for level in range(next(iter(depths), 0))]
    splits = [level for level, found in enumerate(names) if all(name.lower() in SPLIT_WORDS for name in found)]
    roles = {"split": splits[0]} if splits else {}
    left = [level for level, found in enumerate(names) if len(found) > 1 and level != roles.get("split")]
    if masked and left and len(set(folders)) == len(folders) > 1 and left[-1] == len(names) - 1:
        roles["patient"] = left.pop()
    kinds = (["site"] if masked else ["site", "class"])[-len(left) :] if left else []
    if len(left) > len(kinds) or not (masked or left):
        got = f"{len(left)} levels with several folders, such as {'/'.join(folders[0])}"
        raise _unclear(where, "folders of sites" if masked else "folders of classes, or of sites with classes", got)
    return roles | dict(zip(kinds, left, strict=True))


def in_words(roles: dict[str, int], depth: int) -> str:
    """The levels as a pattern: `{split}/{site}/*/{class}`."""
    named = {level: f"{{{role}}}" for role, level in roles.items()}
    return "/".join([*(named.get(level, "*") for level in range(depth)), "*"])


def _unclear(where: str, expected: str, got: str) -> UserError:
    fix = "Say what stands where: dataset.pattern={site}/{class}/{}.png, for instance."
    return refuse(f"dataset.path: {where}", expected, got, fix)
