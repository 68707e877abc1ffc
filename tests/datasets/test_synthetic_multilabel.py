from dataclasses import replace

import pytest
import torch

from fedmed.data.examples import TEST, TRAIN
from fedmed.datasets.synthetic_multilabel import SyntheticMultilabel

SMALL = SyntheticMultilabel(images=1000, test_images=500, side=24)
TINY = replace(SMALL, images=60, test_images=20)


def part(table, split):
    return table.examples[torch.from_numpy(table.split == split).nonzero()[:, 0]]


def mean_difference_auc(dataset):
    """Mean AUC over findings of the projection on the difference between images with and without the finding."""
    table = dataset.load()
    train, test = part(table, TRAIN), part(table, TEST)
    values = []
    for has, truth in zip(train.y.T > 0, test.y.T > 0, strict=True):
        axis = train.x[has].float().mean(0) - train.x[~has].float().mean(0)
        score = (test.x.float() * axis).flatten(1).sum(1)
        above = score[truth][:, None] > score[~truth][None, :]
        values.append(above.float().mean())
    return torch.stack(values).mean().item()


def test_the_table():
    table = SMALL.load()
    assert (table.task, table.classes) == ("multilabel", 8)
    assert table.examples.x.shape == (1500, 1, 24, 24)
    assert table.examples.x.dtype == torch.uint8
    assert table.examples.y.shape == (1500, 8)
    assert table.examples.y.dtype == torch.float32
    assert set(table.examples.y.unique().tolist()) == {0, 1}
    assert len(table.class_names) == 8


def test_same_options_same_bits_and_every_option_matters():
    images = TINY.load().examples.x
    assert torch.equal(images, TINY.load().examples.x)
    for change in ({"seed": 1}, {"snr": 3.9}, {"correlation": 0.0}, {"prevalence": 0.5}, {"findings": 7}):
        assert not torch.equal(images, replace(TINY, **change).load().examples.x)


def test_adding_a_site_changes_no_other_site():
    two, three = (replace(SMALL, sites=n, images=50 * n, test_images=40 * n).load() for n in (2, 3))
    first = torch.from_numpy(three.site < 2)
    assert torch.equal(two.examples.x, three.examples.x[first])
    assert torch.equal(two.examples.y, three.examples.y[first])


def test_no_image_comes_twice():
    images = replace(SMALL, sites=2).load().examples.x.flatten(1)
    assert len(images.unique(dim=0)) == len(images)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_findings_are_as_frequent_as_promised(correlation):
    dataset = replace(SMALL, images=4000, side=8, correlation=correlation)
    expected = dataset.prevalences()
    assert expected[[0, -1]].tolist() == pytest.approx([0.4, 0.08])
    y = dataset.load().examples.y
    deviation = (expected * (1 - expected) / len(y)).sqrt()
    assert ((y.mean(0) - expected).abs() < 4 * deviation).all()


def test_correlation_ties_findings_together():
    def tie(correlation):
        y = replace(SMALL, images=4000, side=8, correlation=correlation).load().examples.y
        return (torch.corrcoef(y.T) - torch.eye(8)).abs().max().item()

    assert tie(0.0) < 0.08
    assert tie(0.9) > 0.3


def test_findings_show_and_snr_is_how_clearly():
    values = [mean_difference_auc(replace(SMALL, snr=snr)) for snr in (0.0, 1.0, 4.0)]
    assert values[0] == pytest.approx(0.5, abs=0.08)
    assert values[0] + 0.05 < values[1] < values[2] - 0.05
    assert values[2] > 0.75


def test_one_label_changes_nothing_but_its_finding(monkeypatch):
    presence, last = SyntheticMultilabel._presence, torch.tensor([7])
    given = replace(SMALL, images=100).load().examples
    monkeypatch.setattr(SyntheticMultilabel, "_presence", lambda *all: presence(*all).index_fill(1, last, 0))
    without = replace(SMALL, images=100).load().examples
    had = given.y[:, 7] > 0
    assert torch.equal(given.x[~had], without.x[~had])
    assert (given.x[had] != without.x[had]).flatten(1).any(1).all()
