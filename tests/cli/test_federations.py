from pathlib import Path

import pytest

from fedmed.cli.main import main
from fedmed.options.cards import cards
from tests.data.federations import TREES


def test_federations_say_what_is_missing_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    TREES["fundus"](tmp_path / "data/fundus")
    assert main(["list", "federations"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for card in cards():
        assert f"{card.name}: {card.title} sites: {card.said['sites']} task: {card.said['task']}" in words
        assert f"licence: {card.said['licence']}" in words
    assert "files: there, data/fundus" in words
    assert "missing: data/camelyon17/metadata.csv: camelyon17_v1.0.tar.gz" in words
    assert "missing: data/fundus" not in words


def test_wrong_words_name_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "federation"]) == 0
    assert main(["list", "federatons"]) == 2
    assert "Did you mean federations" in capsys.readouterr().err
