from dataclasses import replace
from io import StringIO

import numpy as np
from rich.console import Console

from fedmed.rundir.federation import FederationSummary, client_labels
from fedmed.terminal.federation import federation_table, federation_text


def picture(clients: int, classes: int, *, sites: bool = False, complete: bool = True) -> FederationSummary:
    """Client c holds (c + 1) * (k + 1) images of class k, none of class 0 at client 0."""
    counts = np.outer(np.arange(1, clients + 1), np.arange(1, classes + 1))
    counts[0, 0] = 0
    return FederationSummary(
        title="a federation",
        counts=counts,
        images=np.stack([counts.sum(1), counts.sum(1) // 4, counts.sum(1) // 2], 1),
        annotated=None,
        completeness=None if complete else np.linspace(0.5, 1, clients),
        class_names=[f"finding {k}" for k in range(classes)],
        client_names=[str(c) for c in range(clients)],
        site_names=[f"site {c % 2}" for c in range(clients)] if sites else None,
        server_test=1,
    )


def cells(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def test_every_client_is_a_row_and_the_last_row_is_the_total() -> None:
    text = federation_text(picture(3, 2, complete=False))
    assert text.splitlines()[:2] == [
        "a federation",
        "3 clients · 17 training images · 2 classes · server test set 1 image",
    ]
    rows = cells(text)
    assert rows["0"] == ["0", "2", "2", "0", "1", "50", "%"]
    assert rows["2"] == ["3", "6", "9", "2", "4", "100", "%"]
    assert rows["total"] == ["5", "12", "17", "3", "8"]


def test_sites_stand_beside_the_names_unless_they_say_the_same() -> None:
    assert client_labels(picture(2, 2, sites=True)) == ["0 · site 0", "1 · site 1"]
    assert client_labels(picture(2, 2)) == ["0", "1"]
    assert client_labels(replace(picture(2, 2), site_names=["", "1"])) == ["0", "1"]


def test_many_classes_get_numbers_with_a_key() -> None:
    text = federation_text(picture(3, 9), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "classes: 0 finding 0, 1 finding 1," in text
    assert cells(text)["2"][:9] == [str(3 * (k + 1)) for k in range(9)]


def test_too_many_classes_are_summed_up() -> None:
    rows = cells(federation_text(picture(3, 40), width=80))
    assert rows["0"][:5] == ["39", "finding", "39", "5", "%"]
    assert rows["total"][0] == "40"


def test_a_client_without_images_has_no_most_common_class() -> None:
    empty = picture(2, 40)
    empty.counts[1] = 0
    assert cells(federation_text(empty, width=80))["1"][:2] == ["0", "-"]


def test_a_wide_federation_is_quantiles_and_the_smallest_and_largest_clients() -> None:
    rows = cells(federation_text(picture(1000, 2)))
    assert rows["minimum"][:2] == ["0", "2"]
    assert rows["median"][1] == "1001"
    assert rows["maximum"] == ["1000", "2000", "3000", "750", "1500"]
    clients = [name for name, row in rows.items() if name.isdigit() and row[0] != "%"]
    assert clients == ["0", "1", "2", "997", "998", "999"]
    assert "total" in rows


def test_thirty_clients_are_still_shown_one_by_one() -> None:
    assert "29" in cells(federation_text(picture(30, 2)))
    assert "median" not in cells(federation_text(picture(30, 2)))


def test_the_rich_table_fits_its_width_and_says_the_same() -> None:
    for clients, classes in ((3, 2), (10, 14), (100, 20)):
        stream = StringIO()
        Console(file=stream, width=80).print(federation_table(picture(clients, classes, complete=False), width=80))
        out = stream.getvalue()
        assert "…" not in out
        for name, row in cells(federation_text(picture(clients, classes, complete=False), width=80)).items():
            if name.isdigit():
                assert row[-3:] == cells(out)[name][-3:]
