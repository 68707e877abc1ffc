from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from fedmed.report.figures import federation as picture_plot
from fedmed.report.figures.federation import federation_png
from fedmed.rundir.federation import FederationSummary


def picture(clients: int, classes: int, *, names: str = "class", sites: int = 0) -> FederationSummary:
    rng = np.random.default_rng(0)
    counts = (rng.dirichlet(np.full(clients, 0.3), size=classes).T * 20_000).astype(np.int64)
    train = counts.sum(1)
    return FederationSummary(
        title=f"{clients} clients",
        counts=counts,
        images=np.stack([train, train // 10, train // 5], 1),
        annotated=np.where(counts > 0, rng.uniform(0, 1, counts.shape), np.nan),
        completeness=rng.uniform(0.2, 1, clients),
        class_names=[f"{names} {k}" for k in range(classes)],
        client_names=[str(c) for c in range(clients)],
        site_names=[f"site {c * sites // clients}" for c in range(clients)] if sites else None,
        server_test=624,
    )


@pytest.mark.parametrize(("clients", "classes"), [(1, 1), (3, 2), (31, 25), (1000, 2)])
def test_a_png_is_written_whole(tmp_path: Path, clients: int, classes: int) -> None:
    path = tmp_path / "federation.png"
    federation_png(picture(clients, classes), path)
    pixels = matplotlib.image.imread(path)
    assert min(pixels.shape[:2]) > 200
    assert max(pixels.shape[:2]) < 4500
    assert pixels[:, :, :3].std() > 0.05
    assert [p.name for p in tmp_path.iterdir()] == ["federation.png"]


def drawn_texts(monkeypatch: pytest.MonkeyPatch, picture: FederationSummary, path: Path) -> tuple[Bbox, list[Text]]:
    """The page and all texts on it, drawn but not saved, as `federation_png` leaves them."""
    figures: list[Figure] = []

    def draw(figure: Figure, *_: object, **__: object) -> None:
        FigureCanvasAgg(figure).draw()
        figures.append(figure)

    monkeypatch.setattr(Figure, "savefig", draw)
    federation_png(picture, path)
    (figure,) = figures
    shown = [ax for ax in figure.axes if ax.axison]
    for ax in set(figure.axes) - set(shown):
        ax.xaxis.set_visible(False)
        ax.yaxis.set_visible(False)
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    hidden = {id(text) for ax in figure.axes if ax not in shown for text in ax.findobj(Text) if text not in ax.texts}
    return figure.bbox, [text for text in texts if id(text) not in hidden]


@pytest.mark.parametrize(
    ("clients", "classes", "sites", "names"),
    [(3, 2, 0, "class"), (3, 2, 0, r"$\no{math$ 5 %"), (10, 8, 5, "a finding with a long name"), (100, 20, 3, "class")],
)
def test_no_text_is_cut_off_or_overlaps_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clients: int, classes: int, sites: int, names: str
) -> None:
    world = picture(clients, classes, names=names, sites=sites)
    page, texts = drawn_texts(monkeypatch, world, tmp_path / "a.png")
    boxes = np.array([text.get_window_extent().extents for text in texts])  # (N, 4) x0 y0 x1 y1
    outside = (boxes[:, :2] < page.min).any(1) | (boxes[:, 2:] > page.max).any(1)
    assert [text.get_text() for text, out in zip(texts, outside, strict=True) if out] == []
    level = np.array([text.get_rotation() == 0 for text in texts])
    low, high = boxes[level, :2], boxes[level, 2:]
    apart = (high[:, None] <= low[None]).any(-1) | (high[None] <= low[:, None]).any(-1)
    clashes = np.argwhere(np.triu(~apart, 1))
    words = [text.get_text() for text, straight in zip(texts, level, strict=True) if straight]
    assert [(words[a], words[b]) for a, b in clashes] == []
    assert world.title in words
    assert any(text.get_text().startswith(names[:20]) for text in texts)


def test_a_failure_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(picture_plot, "_draw", fail)
    with pytest.raises(RuntimeError):
        federation_png(picture(3, 2), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_wide_federation_is_ordered_by_site_then_most_common_class_then_size() -> None:
    wide = picture(100, 5, sites=4)
    order = picture_plot._order(wide)
    assert sorted(order) == list(range(100))
    keys = [(order[i] * 4 // 100, wide.counts[order[i]].argmax(), -wide.images[order[i], 0]) for i in range(100)]
    assert keys == sorted(keys)
    assert picture_plot._order(picture(30, 5)).tolist() == list(range(30))
