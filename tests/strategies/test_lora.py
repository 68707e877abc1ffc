"""LoRA and its family: the layers, their scales, what trains, what travels, and what is refused."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fedmed import Experiment, SyntheticMulticlass
from fedmed.config.build import experiment_from
from fedmed.errors import UserError
from fedmed.initial_net import initial_net
from fedmed.method import Method, Setup, chain
from fedmed.models.net import Net, fixed
from fedmed.models.small_cnn import SmallCnn
from fedmed.strategies._low_rank import LowRankLinear, full_rank, low_rank_layers
from fedmed.strategies.fedbn import FedBN
from fedmed.strategies.fednpr import FedNPR
from fedmed.strategies.fedprox import FedProx
from fedmed.strategies.lora import LoRA, scale
from fedmed.tasks import MultiClass
from tests.toys import TOYS, TRAINING, federate, initial, job_of, net_of, same, trainer_of

TOY = TOYS["multiclass"]
A, B = "features.conv.lora_A", "features.conv.lora_B"
PERSONAL = ("*.lora_B", "@head")


@pytest.mark.parametrize(
    ("alpha", "rank", "clients", "gammas"),
    [(16, 8, 3, (2, 5.656854, 9.797959)), (1, 16, 8, (0.0625, 0.25, 0.7071068))],
)
def test_scales_are_the_specification_s(alpha: float, rank: int, clients: int, gammas: tuple[float, ...]) -> None:
    found = [scale(scaling, alpha=alpha, rank=rank, clients=clients) for scaling in ("lora", "rslora", "sfed")]
    assert found == pytest.approx(gammas, rel=1e-6)


@pytest.mark.filterwarnings("ignore:strategy.lora. rank=9")
@pytest.mark.parametrize("rank", [1, 2, 4, 9])
def test_any_rank_trains_what_is_chosen_and_leaves_the_rest(rank: int) -> None:
    method = LoRA(rank=rank)
    ended = federate(TOY, method, rounds=5)
    assert ended.shared.keys() == {
        *(A, B, "head.weight", "head.bias"),
        *(f"features.norm.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")),
    }
    assert not [name for name in (A, B, "head.weight") if torch.equal(ended.shared[name], initial(TOY, method)[name])]
    plain, built = TOY.net().state_dict(), net_of(TOY, method)
    assert fixed(built) == {f"features.{name}" for name in ("conv.weight", "conv.bias", "norm.weight", "norm.bias")}
    assert all(torch.equal(built.state_dict()[name], plain[name]) for name in fixed(built))


def test_a_rank_above_a_layer_s_is_said_once() -> None:
    assert full_rank(nn.Conv2d(1, 4, 3)) == 4
    with pytest.warns(UserWarning, match=r"rank=5 is above what an update of features\.conv can have") as caught:
        net_of(TOY, LoRA(rank=5))
    assert len(caught) == 1


def test_sfed_with_one_matrix_for_all_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="sfed is for init=per_client"):
        net_of(TOY, LoRA(scaling="sfed"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net_of(TOY, LoRA(scaling="sfed", init="per_client"))


def test_b_never_leaves_its_client_and_waits_for_its_next_round() -> None:
    one = federate(TOY, LoRA(local=PERSONAL), rounds=1)
    kept = [one.memory(client)["@local"] for client in range(3)]
    assert all(memory.keys() == {B, "head.weight", "head.bias"} for memory in kept)
    assert not torch.equal(kept[0][B], kept[1][B])
    more = federate(
        *(TOY, LoRA(local=PERSONAL)),
        rounds=4,
        shared=one.shared,
        grid=one.grid,
        progress=one.progress,
        clients_per_round=1,
    )
    asked = {row["client"] for result in more.results for row in result.clients}
    (idle,) = {0, 1, 2} - asked if len(asked) == 2 else {min({0, 1, 2} - asked)}
    assert same(more.memory(idle)["@local"], kept[idle])
    sent = {name for _, _, tensors in more.grid.recorded for name in tensors}
    assert A in sent
    assert not sent & {B, "head.weight", "head.bias", "features.conv.weight"}


def test_ffa_sends_b_and_no_a() -> None:
    ended = federate(TOY, LoRA(train_a=False))
    assert B in ended.shared
    assert A not in ended.shared


def test_clients_draw_matrices_of_their_own_in_the_first_round_only() -> None:
    trainer = trainer_of(TOY, LoRA(init="per_client"))
    method = chain(LoRA(init="per_client"))
    drawn = []
    for client, round in ((0, 1), (1, 1), (0, 2)):
        trainer.load(initial(TOY, LoRA(init="per_client")))
        begun = trainer.receive(job_of(trainer, client=client, round=round))
        method.prepare(begun)
        drawn.append(trainer.net.state_dict()[A].clone())
    first = initial(TOY, LoRA(init="per_client"))[A]
    assert torch.equal(drawn[2], first)
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], first)


def test_for_one_client_sfed_is_rslora_to_the_bit() -> None:
    alone = replace(TOY, shares=TOY.shares[:1])
    ended = [federate(alone, LoRA(scaling=s, init="per_client", rank=3), rounds=3) for s in ("sfed", "rslora")]  # type: ignore[arg-type]
    assert same(ended[0].shared, ended[1].shared)


def test_the_scale_is_of_the_clients_asked() -> None:
    net = TOY.net()
    setup = Setup(task=TOY.task, net=net, optimizer=TRAINING.optimizer, rounds=4, clients=40, clients_per_round=9)
    built = LoRA(scaling="sfed", init="per_client").build(net, setup)
    assert [layer.gamma for layer in low_rank_layers(built)] == [1.5]


@pytest.mark.parametrize("other", [FedNPR(), FedProx(mu=0.1), FedBN()], ids=str)
def test_runs_beside_others(other: Method) -> None:
    method = chain(LoRA(local=PERSONAL, init="per_client", scaling="sfed"), other)
    ended = federate(TOY, method, rounds=3)
    assert ended.losses[-1] < ended.losses[0]
    assert "features.conv.weight" not in ended.shared


def test_fedprox_acts_on_what_is_trained_and_shared() -> None:
    trainer = trainer_of(TOY, chain(LoRA(local=PERSONAL), FedProx(mu=1)))
    begun = trainer.receive(job_of(trainer))
    assert [item.name for item in begun.shared] == [A]


def test_audit_says_how_strong_the_updates_are() -> None:
    shares = tuple(replace(share, truth=share.train.y) for share in TOY.shares)
    trainer = trainer_of(replace(TOY, shares=shares), LoRA(rank=2, alpha=3))
    found = trainer.train(job_of(trainer)).audit
    (layer,) = low_rank_layers(trainer.net)
    assert found["lora.gamma"] == pytest.approx(3 / 2**0.5)
    change = layer.merged().weight - layer.weight
    assert found["lora.update"] == pytest.approx(change.norm().item(), rel=1e-4)
    assert found["lora.gradient.A"] > 0
    assert found["lora.gradient.B"] == pytest.approx(_gradient(layer.lora_B).norm().item())


def test_weights_of_a_file_are_what_is_adapted(tmp_path: Path) -> None:
    task, side = MultiClass(classes=3), 8
    torch.manual_seed(1)
    plain = SmallCnn(width=4).build(1, 3, side).state_dict()
    save_file(plain, tmp_path / "w.safetensors")
    experiment = Experiment(
        dataset=SyntheticMulticlass(classes=3),
        model=SmallCnn(width=4, weights=str(tmp_path / "w.safetensors")),
        strategy=LoRA(),
    )
    net = initial_net(experiment, task, channels=1, side=side, clients=3)
    assert len(list(low_rank_layers(net))) == 3
    assert all(torch.equal(net.state_dict()[name], plain[name]) for name in plain)
    x = torch.randn(2, 1, side, side)
    bare = SmallCnn(width=4).build(1, 3, side)
    bare.load_state_dict(plain)
    torch.testing.assert_close(net(x), bare(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"targets": ("body.*",)}, r"targets: .* got body\.\*\. The first that could be: features\.conv, head\."),
        ({"targets": ()}, r"targets: expected at least one pattern, got none"),
        ({"targets": ("features.norm",)}, r"got features\.norm"),
        ({"train": ("tail.*",)}, r"train: expected patterns that match weights of the model, got tail"),
        ({"init": "per_client", "train_a": False}, r"init: expected shared with train_a=false, got per_client"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], words: str) -> None:
    net = TOY.net()
    setup = Setup(task=TOY.task, net=net, optimizer=TRAINING.optimizer, rounds=4, clients=3)
    with pytest.raises(UserError, match=words):
        raise UserError(*LoRA(**fields).check(setup))


@pytest.mark.parametrize("rank", ["0", "[4,8]", "2.5"])
def test_a_rank_is_one_number(rank: str) -> None:
    with pytest.raises(Exception, match=r"strategy\.lora\.rank: expected a whole number"):
        experiment_from(["strategy=lora", f"strategy.rank={rank}"])


def test_grouped_and_derived_layers_stay_as_they_are() -> None:
    grouped, attention = nn.Conv2d(4, 4, 3, groups=4), nn.MultiheadAttention(4, 2)
    body = nn.Sequential(grouped, nn.ConvTranspose2d(4, 4, 2), attention, nn.Linear(4, 4))
    net = Net(body, nn.Linear(4, 2))
    setup = Setup(task=TOY.task, net=net, optimizer=TRAINING.optimizer, rounds=4, clients=3)
    built = LoRA(rank=1).build(net, setup)
    assert [name for name, part in built.named_modules() if isinstance(part, LowRankLinear)] == ["features.3"]
    assert built.features[0] is grouped


@pytest.mark.parametrize(
    ("preset", "fields"),
    [
        ("lora", {"scaling": "rslora", "init": "shared", "local": (), "train_a": True}),
        ("ffa_lora", {"scaling": "rslora", "init": "shared", "local": (), "train_a": False}),
        ("fedsa_lora", {"scaling": "lora", "init": "shared", "local": PERSONAL, "train_a": True}),
        ("fedsa_rslora", {"scaling": "rslora", "init": "shared", "local": PERSONAL, "train_a": True}),
        ("sfed_lora", {"scaling": "sfed", "init": "per_client", "local": PERSONAL, "train_a": True}),
    ],
)
def test_a_preset_is_what_the_specification_says(preset: str, fields: dict[str, Any]) -> None:
    chosen = experiment_from([f"strategy={preset}"]).methods.members["lora"]
    assert {name: getattr(chosen, name) for name in fields} == fields


def _gradient(weight: nn.Parameter) -> Tensor:
    assert weight.grad is not None
    return weight.grad
