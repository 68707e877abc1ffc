"""How a field of the experiment says where the options are that it chooses among."""

from __future__ import annotations

from typing import NamedTuple


class OptionGroup(NamedTuple):
    """The field takes one of a group of options, each a class derived from the field's type.

    module: holds fedmed's own options; a module or package of fedmed, or a folder beside it.
    by_file: an option of fedmed's is named by its file, else by its class; one of a user's always by its file.
    plural: folder in which users may have options of their own, and the entry point of packages that have some
       (empty: the field's name with an s).
    also: another class that options may derive from (empty: none).
    default: the class that is chosen by default, where the field's own default does not tell.
    """

    module: str
    by_file: bool = False
    plural: str = ""
    also: str = ""
    default: str = ""
