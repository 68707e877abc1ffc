"""The cases of a folder: by a pattern, or by what the names of its folders and files say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fedmed.data.reading.levels import in_words, roles_of
from fedmed.data.reading.listing import Listing
from fedmed.data.reading.notices import say
from fedmed.data.reading.pairs import IMAGE_WORD, Case, Pairs, grouped, paired
from fedmed.data.reading.paths import SUFFIXES, NamedFile, image_files
from fedmed.data.reading.patterns import compiled, filled
from fedmed.data.reading.problems import Problem, faults_of
from fedmed.errors import UserError, refuse

KNOWN = ("site", "class", "patient", "split", "case")
"""Names in a pattern that mean something; others are attributes."""


def folder_listing(root: Path, *, pattern: str, mask: str, channels: Sequence[str]) -> Listing:
    """The cases of a folder, with their masks.

    pattern: of the images' paths; empty: guessed. mask: auto, none, how names of masks end, the name of their folder,
    or a template of their paths. channels: how the names of the files of each channel end.
    Raises UserError where there are no images, or where it is not clear what the folders are.
    """
    if not root.is_dir():
        got = f"{root}: {'a file' if root.exists() else 'no such folder'}"
        raise refuse("dataset.path", "a folder of images", got, "Check the path; a table is read by dataset=table.")
    files = image_files(root)
    if not files:
        fix = f"Files that are read end in {', '.join(SUFFIXES)}."
        raise refuse("dataset.path", "a folder of images", f"{root}: none in it", fix)
    if pattern:
        return _by_pattern(root, files, pattern, mask, channels)
    if "{" in mask:
        raise refuse("dataset.mask", "the ending of masks' names, as there is no dataset.pattern", mask)
    pairs = _pairs(root, files, mask, channels)
    masked = any(pairs.masks)
    words = [_folders(case.image, masked) for case in pairs.cases]
    roles = roles_of(words, masked=masked, where=str(root))
    say(f"folders read as dataset.pattern={in_words(roles, len(words[0]))}{_also(pairs) if masked else ''}")
    known = {role: [each[level] for each in words] for role, level in roles.items()}
    return _listing(root, pairs, known)


def _pairs(root: Path, files: Sequence[NamedFile], mask: str, channels: Sequence[str]) -> Pairs:
    if mask == "none":
        cases = grouped(files, channels)
        return Pairs(cases, [None] * len(cases), ())
    pairs = paired(files, "" if mask == "auto" else mask, channels)
    if not pairs.cases:
        got = f"only masks or other channels, such as {files[0].path}"
        raise refuse(f"dataset.path: {root}", "images", got, "See dataset.mask and dataset.channels.")
    if mask != "auto" and not any(pairs.masks):
        raise refuse("dataset.mask", "auto, none, or how the names or the folder of masks end", mask)
    if pairs.alone:
        expected, fix = "the image of this mask", "Add it, or take the mask away; or set dataset.mask=none."
        problems = [Problem(0, str(root / each.path), expected, "none", fix) for each in pairs.alone]
        raise UserError(*faults_of(problems))
    return pairs


def _also(pairs: Pairs) -> str:
    """What is said of the masks."""
    given = [(case, mask) for case, mask in zip(pairs.cases, pairs.masks, strict=True) if mask]
    case, mask = given[0]
    without = f"; {len(pairs.cases) - len(given)} images have none" if len(given) < len(pairs.cases) else ""
    return f", and masks as {mask.path} of {case.image.path}{without}"


def _folders(image: NamedFile, masked: bool) -> tuple[str, ...]:
    """The folders of an image but those that only say that it is one."""
    return tuple(name for name in image.folders if not (masked and IMAGE_WORD.match(name)))


def _by_pattern(root: Path, files: Sequence[NamedFile], pattern: str, mask: str, channels: Sequence[str]) -> Listing:
    expression = compiled(pattern, "dataset.pattern")
    pairs = _pairs(root, files, mask, channels) if "{" not in mask else _pairs(root, files, "none", channels)
    found = [(n, expression.fullmatch(case.image.path)) for n, case in enumerate(pairs.cases)]
    matched = [(n, match.groupdict()) for n, match in found if match]
    if not matched:
        fix = f"A path here is {pairs.cases[0].image.path}."
        raise refuse("dataset.pattern", f"a pattern of paths below {root}", pattern, fix)
    if len(matched) < len(found):
        odd = next(pairs.cases[n].image.path for n, match in found if not match)
        say(f"{len(found) - len(matched)} of {len(found)} images left out, as dataset.pattern does not fit: {odd}")
    groups = {name: [each[name] for _, each in matched] for name in expression.groupindex}
    cases = [pairs.cases[n] for n, _ in matched]
    masks = [pairs.masks[n] for n, _ in matched]
    if "{" in mask:
        masks = [_filled_mask(root, mask, each) for _, each in matched]
    return _listing(root, Pairs(cases, masks, ()), groups)


def _filled_mask(root: Path, template: str, values: Mapping[str, str]) -> NamedFile | None:
    """The mask at a template's path; None where there is none."""
    found = sorted(root.glob(filled(template, values, "dataset.mask")))
    if len(found) > 1:
        raise refuse("dataset.mask", "one mask of each image", f"{found[0]} and {found[1]}", "Name more of the path.")
    return NamedFile((), found[0].relative_to(root).as_posix(), "") if found else None


def _listing(root: Path, pairs: Pairs, known: Mapping[str, Sequence[str]]) -> Listing:
    _refuse_incomplete(root, pairs.cases)
    _refuse_empty_sites(root, pairs.cases, known.get("site", ()))
    return Listing(
        where=root,
        files=[tuple(root / file.path for file in case.files if file) for case in pairs.cases],
        masks=[root / mask.path if mask else None for mask in pairs.masks] if any(pairs.masks) else (),
        labels={"class": known["class"]} if "class" in known else {},
        site=known.get("site", ()),
        patient=known.get("patient", ()),
        split=known.get("split", ()),
        attributes={name: texts for name, texts in known.items() if name not in KNOWN},
    )


def _refuse_incomplete(root: Path, cases: Iterable[Case]) -> None:
    """Refuses cases that lack the file of a channel."""
    problems = [
        Problem(n, str(root / case.image.path), f"{len(case.files)} files, one for each of dataset.channels",
                f"{sum(file is not None for file in case.files)}")
        for n, case in enumerate(cases)
        if None in case.files
    ]  # fmt: skip
    if problems:
        raise UserError(*faults_of(problems))


def _refuse_empty_sites(root: Path, cases: Sequence[Case], site: Sequence[str]) -> None:
    """Refuses folders without images beside those of the sites, where sites are the first level of folders."""
    first = [case.image.folders[0] if case.image.folders else "" for case in cases]
    if first != list(site):
        return
    empty = [folder for folder in sorted(root.iterdir()) if folder.is_dir() and folder.name not in {*first, "__MACOSX"}]
    fix = "Fill it, or take it away."
    problems = [Problem(0, str(folder), "images of a site", "none", fix) for folder in empty if folder.name[:1] != "."]
    if problems:
        raise UserError(*faults_of(problems))
