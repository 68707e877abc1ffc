"""Where options are found: fedmed's own files, the user's folders, and installed packages."""

from __future__ import annotations

import filecmp
import importlib.util
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from fedmed.errors import Fault, UserError, near
from fedmed.options.groups import GROUPS, PACKAGE, Group
from fedmed.options.source import Broken, Option, Source, read_base, read_classes, read_option, snake


@dataclass(frozen=True)
class Catalogue:
    """Every option that a run, or a schedule of runs, can choose, and those that are broken, by group and name."""

    options: dict[str, dict[str, Option]] = field(default_factory=lambda: {group: {} for group in GROUPS})
    broken: dict[str, dict[str, Broken]] = field(default_factory=lambda: {group: {} for group in GROUPS})

    def add(self, found: Option | Broken) -> None:
        """Adds an option; one whose name is taken by another file becomes broken, and so does its namesake."""
        known = self.options[found.group].get(found.name)
        if isinstance(found, Option) and (known is None or _same(known.file, found.file)):
            self.options[found.group].setdefault(found.name, found)
            return
        if known and isinstance(found, Option):
            reason = f"two files of that name, {known.file} and {found.file}; rename yours"
            found = Broken(found.name, found.group, found.file, reason)
        if isinstance(found, Broken):
            self.options[found.group].pop(found.name, None)
            self.broken[found.group][found.name] = found

    def of_target(self, target: str) -> Option | None:
        """The option that builds `target`; reads the file where the target is one outside the catalogue."""
        for options in self.options.values():
            for option in options.values():
                if option.target == target:
                    return option
        return None

    def fault(self, group: str, name: str) -> Fault:
        """Why an option of that name cannot be chosen."""
        if broken := self.broken[group].get(name):
            return Fault(f"{group}={name}", "a file that fedmed can read", broken.reason, f"Mend {broken.file}.")
        return Fault(group, f"the name of {_article(group)}", name or "nothing", near(name, self.options[group]))


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def discover() -> Catalogue:
    """Finds every option of a run, reading source files only."""
    return options_of(GROUPS.values())


def options_of(groups: Collection[Group]) -> Catalogue:
    """Finds every option of some groups, reading source files only."""
    catalogue = Catalogue({group.name: {} for group in groups}, {group.name: {} for group in groups})
    installed = entry_points()
    for group in groups:
        own = list(_own(group))
        source = _with_parents(group, own)
        for found in own:
            catalogue.add(found)
        for file in _user_files(group):
            for found in _read_file(file, source, by_file=True):
                catalogue.add(found)
        for entry in installed.select(group=f"fedmed.{group.plural}"):
            catalogue.add(_read_entry(entry, source))
    return catalogue


def source_of(group: Group) -> Source:
    """What an option of the group looks like in a user's file, where it may derive from one of fedmed's."""
    return _with_parents(group, _own(group))


def _own(group: Group) -> Iterator[Option | Broken]:
    """Fedmed's own options of the group."""
    source = replace(_plain(group), parents=tuple(_shared_bases(group)))
    for file in _files(group.module):
        yield from _read_file(file, source, by_file=group.by_file, module=f"fedmed.{_module(file)}")


def _shared_bases(group: Group) -> Iterator[Option]:
    """Classes in private modules beside the options, from which several of these derive and which nobody chooses."""
    for file in sorted(PACKAGE.parent.joinpath(group.module).glob("_[!_]*.py")):
        if f"({group.base}".encode() not in file.read_bytes():
            continue  # without parsing it
        for found in _read_file(file, _plain(group), by_file=False, module=f"fedmed.{_module(file)}"):
            if isinstance(found, Option):
                yield found


def _with_parents(group: Group, own: Iterable[Option | Broken]) -> Source:
    return replace(_plain(group), parents=tuple(found for found in own if isinstance(found, Option)))


def _plain(group: Group) -> Source:
    return Source(group.name, group.base, read_base(_files(group.base_in), group.base), group.also)


def read_given(text: str, group: Group) -> Option:
    """The option in a file that the user names as `path/to/file.py:Class`, or `path/to/file.py` if it has one class.

    Raises `UserError` where there is no such file, it does not parse, or it has no such class.
    """
    path, _, cls = text.rpartition(".py")
    file, cls = Path(f"{path}.py").expanduser().resolve(), cls.removeprefix(":")
    source = source_of(group)
    try:
        classes = read_classes(file, source)
    except OSError as error:
        raise _refuse(group, "a file that exists", f"{file} ({error.strerror})", "Check the path.") from error
    except SyntaxError as error:
        raise _refuse(group, "a file that parses", _syntax(error), f"Mend {file}.") from error
    if cls not in classes and (cls or len(classes) != 1):
        known = f"It has {', '.join(classes)}." if classes else f"Derive a class from {group.base} there."
        raise _refuse(group, f"one class derived from {group.base} in {file}", cls or f"{len(classes)} of them", known)
    chosen = cls or next(iter(classes))
    name = file.stem if len(classes) == 1 else snake(chosen)
    try:
        return read_option(classes[chosen], source, name=_word(name), target=f"{file}:{chosen}", file=file)
    except ValueError as error:
        raise _refuse(group, "fields that fedmed can read", str(error), f"Mend {file}.") from error


def user_folders(group: Group) -> list[Path]:
    """Folders in which users may have options of their own: in the current folder, and in those of FEDMED_PATH."""
    roots = [Path(root) for root in os.environ.get("FEDMED_PATH", "").split(os.pathsep) if root]
    return [root.expanduser().resolve() / group.plural for root in (Path(), *roots)]


def _refuse(group: Group, expected: str, got: str, fix: str) -> UserError:
    return UserError(Fault(group.name, expected, got, fix))


def _word(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _syntax(error: SyntaxError) -> str:
    return f"{error.msg} (line {error.lineno})"


def _same(one: Path, other: Path) -> bool:
    return one == other or filecmp.cmp(one, other, shallow=False)


def _module(file: Path) -> str:
    root = PACKAGE if file.is_relative_to(PACKAGE) else PACKAGE.parent
    return ".".join(file.relative_to(root).with_suffix("").parts)


def _files(module: str) -> list[Path]:
    path = PACKAGE.joinpath(*module.split("."))
    if path.with_suffix(".py").is_file():
        return [path.with_suffix(".py")]
    return sorted((path if path.is_dir() else PACKAGE.parent / module).glob("[!_]*.py"))


def _user_files(group: Group) -> Iterator[Path]:
    for folder in user_folders(group):
        yield from sorted(folder.glob("[!_]*.py"))


def _read_file(file: Path, source: Source, *, by_file: bool, module: str = "") -> Iterator[Option | Broken]:
    try:
        classes = read_classes(file, source)
    except (SyntaxError, OSError) as error:
        reason = _syntax(error) if isinstance(error, SyntaxError) else str(error)
        yield Broken(file.stem, source.group, file, reason)
        return
    if by_file and len(classes) > 1:
        yield Broken(
            file.stem, source.group, file, f"{len(classes)} classes ({', '.join(classes)}); one file, one option"
        )
        return
    for cls, node in classes.items():
        name = _word(file.stem) if by_file else snake(cls.removesuffix(source.base))
        try:
            target = f"{module}.{cls}" if module else f"{file}:{cls}"
            yield read_option(node, source, name=name, target=target, file=file)
        except ValueError as error:
            yield Broken(name, source.group, file, str(error))


def _read_entry(entry: EntryPoint, source: Source) -> Option | Broken:
    file = _locate(entry.module)
    if file is None:
        return Broken(entry.name, source.group, Path(entry.module), f"no source file of {entry.module}")
    found = [f for f in _read_file(file, source, by_file=False, module=entry.module) if _is(f, entry)]
    if not found:
        return Broken(entry.name, source.group, file, f"no class {entry.attr} derived from {source.base}")
    return replace(found[0], name=entry.name)


def _is(found: Option | Broken, entry: EntryPoint) -> bool:
    return isinstance(found, Broken) or found.target == f"{entry.module}.{entry.attr}"


def _locate(module: str) -> Path | None:
    """The file of an installed module, found without importing its packages."""
    top, *rest = module.split(".")
    spec, name = importlib.util.find_spec(top), top
    for part in rest:
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations or ())) if spec else None
    return Path(spec.origin) if spec and spec.origin else None
