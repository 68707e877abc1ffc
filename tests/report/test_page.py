"""The page: everything is in it, nothing is loaded, and it says the same as the tables."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fedmed.comparison.read import read
from fedmed.report import page
from tests.fabricated import CONFIG, run, strategy
from tests.report.evaluated import evaluate

ARMS = {
    "fedavg": [0.70, 0.72, 0.69, 0.71, 0.73],
    "fedprox": [0.75, 0.76, 0.75, 0.75, 0.78],
    "moon": [0.74, 0.77, 0.74, 0.76, 0.77],
}
VOID = {"meta", "link", "img", "br", "input", "circle", "path", "use", "image", "rect"}


class Parsed(HTMLParser):
    """Elements of a page, whether they are closed in order, and their texts by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "img", "br", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def compared(folder: Path, alphas: Sequence[float] = (0.5,)) -> Path:
    """Runs of three arms and a reference per world."""
    for alpha in alphas:
        partition = {**CONFIG["partition"], "alpha": alpha}
        for name, values in ARMS.items():
            for seed, value in enumerate(values):
                config = {"partition": partition, "strategy": strategy(name)}
                place = folder / f"{name}{seed}{alpha}"
                run(place, seed=seed, auc=value, config=config, curve=[0.1, value], clients=[0.3, value])
        run(folder / f"p{alpha}", auc=0.9, config={"partition": partition, "pooled": True}, curve=[0.8, 0.9])
    return folder


def made(folder: Path, out: Path) -> Parsed:
    return Parsed(page.write(read([folder]), out).read_text(encoding="utf-8"))


def test_a_comparison_is_one_well_formed_file(tmp_path: Path) -> None:
    found = made(compared(tmp_path / "runs"), tmp_path / "out")
    assert found.open == []
    assert found.texts["h1"][0].startswith("fedprox reaches the highest test AUC, 0.758: 0.048 above fedavg")
    by_metric = ["Learning curve", "Quality against communication", "Paired difference from fedavg"]
    # of test.auc, and of what else can be chosen: client.mean.auc in no final.json here, and test.loss in no round
    assert found.texts["figcaption"] == [*by_metric, "Paired difference from fedavg", "Client by client"]
    assert all(figure["aria-label"] for figure in found.all("svg") if figure.get("role") == "img")
    assert len(found.all("h1")) == 1
    assert [a["href"] for a in found.all("a")] == ["#results"]


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    found = made(compared(tmp_path / "runs"), tmp_path / "out")
    sources = [v for _, attributes in found.found for n, v in attributes.items() if n in ("src", "href", "xlink:href")]
    assert [source for source in sources if source and not source.startswith(("#", "data:"))] == []
    text = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert re.findall(r"url\((?!#)|@import|<script src|fetch\(", text) == []


def test_ids_are_unique_and_references_arrive(tmp_path: Path) -> None:
    found = made(compared(tmp_path / "runs", (0.1, 1.0)), tmp_path / "out")
    ids = [attributes["id"] for _, attributes in found.found if attributes.get("id")]
    named = {v for _, a in found.found for n, v in a.items() if n in ("aria-labelledby",)}
    assert named <= set(ids)
    assert {str(a["href"])[1:] for a in found.all("a")} <= set(ids)
    outside = [name for name in ids if not re.match(r"[mpC]?[0-9a-f]{9,}$|[mp][0-9a-f]+", str(name))]
    assert len(outside) == len(set(outside))


def test_several_worlds_get_an_overview_and_a_place_each(tmp_path: Path) -> None:
    found = made(compared(tmp_path / "runs", (0.1, 1.0)), tmp_path / "out")
    assert found.texts["h2"][0] == "Over all worlds"
    assert any("alpha=0.1" in text for text in found.texts["h2"])
    assert "figures" in {p.name for p in (tmp_path / "out").iterdir()}
    assert {"curves_1.svg", "curves_2.png", "ranks.svg"} <= {p.name for p in (tmp_path / "out/figures").iterdir()}


def test_one_run_has_a_page_without_comparisons(tmp_path: Path) -> None:
    place = run(tmp_path / "run", auc=0.8, curve=[0.5, 0.8], clients=[0.3, 0.6, 0.9])
    found = made(place, place)
    assert found.texts["h1"] == ["fedavg reaches a test AUC of 0.800."]
    assert found.texts["figcaption"] == ["Learning curve", "Client by client"]
    assert "minus fedavg" not in found.texts["button"]


def test_a_run_that_was_hardly_evaluated_has_a_page(tmp_path: Path) -> None:
    place = run(tmp_path / "run", auc=0.8)
    assert "figcaption" not in made(place, place).texts


def test_names_are_escaped(tmp_path: Path) -> None:
    config = {"strategy": {"<b>&": {"_target_": "x.py:Y", "local": []}}}
    place = run(tmp_path / "run", auc=0.8, curve=[0.5, 0.8], config=config)
    text = page.write(read([place]), place).read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "&lt;b&gt;&amp; reaches" in text


@pytest.mark.parametrize("name", ["examples.npz", "federation.json"])
def test_what_is_damaged_is_noted(name: str, tmp_path: Path) -> None:
    place = run(tmp_path / "run", auc=0.8)
    (place / name).write_bytes(b"{")
    assert any(name in note for note in made(place, place).texts["li"])


def test_how_to_repeat_it_is_told_once(tmp_path: Path) -> None:
    compared(tmp_path / "runs")
    for number, place in enumerate(sorted((tmp_path / "runs").iterdir())):
        (place / "environment.json").write_text(
            f'{{"torch": "2.0", "command": "fedmed run seed={number % 2}"}}', encoding="utf-8"
        )
    found = made(tmp_path / "runs", tmp_path / "out")
    assert found.texts["code"] == ["fedmed run seed=0\nfedmed run seed=1"]
    assert found.texts["dd"] == ["0, 1, 2, 3, 4", "2.0"]


def classified(
    folder: Path, *, classes: int = 3, names: Sequence[str] = (), alphas: tuple[float, ...] = (0.5,)
) -> Path:
    """The same runs with more metrics, and with what was found class by class."""
    compared(folder, alphas)
    for number, place in enumerate(sorted(folder.iterdir())):
        evaluate(place, classes=classes, strength=1 + number % 3, seed=number, names=names)
        rows = [json.loads(row) for row in (place / "rounds.jsonl").read_text(encoding="utf-8").splitlines()]
        rows = [row | {"test.f1": row["test.auc"] / 2, "loss": 1 / row["round"]} for row in rows]
        (place / "rounds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        final = json.loads((place / "final.json").read_text(encoding="utf-8"))
        extra = {"test.f1": rows[-1]["test.f1"], "domain.Berlin.auc": 0.8, "domain.<i>.auc": 0.7}
        (place / "final.json").write_text(json.dumps(final | extra), encoding="utf-8")
    return folder


HOSTILE = [  # of arms, classes, domains, metrics
    "<script>document.title='x'</script>",
    '$\\frac{x$ & "q" </title></style></svg>',
    "\u202eabc \x1b[31m {{7*7}} \x00",
]


def test_hostile_names_are_text_everywhere(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """Names of arms, classes, domains and metrics; they close no element, and act on no text around them."""
    for number, name in enumerate(["fedavg", *HOSTILE, "胸片"]):
        final = {f"domain.{HOSTILE[0]}.auc": 0.7, f"domain.{HOSTILE[2]}.auc": 0.7, f"test.{HOSTILE[1]}": 0.3}
        config = {"strategy": strategy(name)}
        place = run(tmp_path / f"runs/{number}", auc=0.7, curve=[0.5, 0.7], config=config, final=final)
        evaluate(place, names=HOSTILE, seed=number)
    found = made(tmp_path / "runs", tmp_path / "out")
    assert found.open == []
    assert len(found.all("script")) == 1
    assert not [a for tag in ("b", "img", "div") for a in found.all(tag) if "onclick" in a]
    for file in [tmp_path / "out/report.html", *(tmp_path / "out/figures").glob("*.svg")]:
        assert not set("\x00\x1b\u202e") & set(file.read_text(encoding="utf-8")), file.name
    for file in (tmp_path / "out/figures").glob("*.svg"):
        ElementTree.fromstring(file.read_text(encoding="utf-8").partition("?>")[2])
    assert not [each for each in recwarn if "Glyph" in str(each.message)]


def test_every_metric_has_its_standings_and_figures_and_the_headline_is_shown(tmp_path: Path) -> None:
    found = made(classified(tmp_path / "runs"), tmp_path / "out")
    options = [text for text in found.texts["option"] if text.startswith(("test", "loss"))]
    assert options == ["test AUC", "test F1", "test loss", "loss"]
    shown = [str(a["class"]) for a in found.all("div") if str(a.get("class")).startswith("of-metric")]
    assert {each.split()[1] for each in shown} == {"o0", "o1", "o2", "o3"}
    assert found.texts["figcaption"].count("Learning curve") == 3, "test.loss is in no round"
    assert any("no tests and no marks" in text for text in found.texts["p"])


def test_classes_domains_and_curves_are_on_the_page(tmp_path: Path) -> None:
    found = made(classified(tmp_path / "runs", names=["a", "b", "c"]), tmp_path / "out")
    assert {"Class by class", "By domain"} <= {*found.texts["h3"]}
    assert {"ROC curves", "Precision-recall curves", "Calibration", "AUC by class"} <= {*found.texts["figcaption"]}
    cells = [a for a in found.all("td") if "--v" in str(a.get("style"))]
    assert len(cells) == 4 * 9, "a matrix per arm"
    assert "true a, predicted a: " in str(cells[0]["title"])
    assert {"Berlin", "<i>"} <= {*found.texts["span"]}
    assert found.open == []


def test_what_strangers_call_their_classes_is_text(tmp_path: Path) -> None:
    name = """<script>alert(1)</script>"' & ]]>"""
    classified(tmp_path / "runs", names=[name, f"{name}2", "c"])
    text = page.write(read([tmp_path / "runs"]), tmp_path / "out").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert Parsed(text).open == []


def test_json_tokens_that_are_no_json_do_not_keep_a_page_from_being_written(tmp_path: Path) -> None:
    """Runs of earlier versions may hold NaN."""
    place = run(tmp_path / "run", auc=0.8, curve=[0.5, 0.8])
    evaluate(place, classes=2)
    text = (
        (place / "evaluation.json")
        .read_text(encoding="utf-8")
        .replace('"auc_per_class": [null', '"auc_per_class": [NaN')
    )
    assert "NaN" in text
    (place / "evaluation.json").write_text(text, encoding="utf-8")
    assert "Class by class" in made(place, place).texts["h3"]


def test_arms_that_do_the_same_are_said_to(tmp_path: Path) -> None:
    for name in ("fedavg", "fedprox"):
        place = run(tmp_path / "runs" / name, auc=0.8, curve=[0.5, 0.7, 0.8], config={"strategy": strategy(name)})
        evaluate(place)
    notes = made(tmp_path / "runs", tmp_path / "out").texts["p"]
    same = [note for note in notes if "fedavg and fedprox coincide." in note]
    assert len(same) == 5, "the learning curve, cost, ROC, precision and recall, calibration"
