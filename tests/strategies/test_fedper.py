import torch

from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedper import FedPer
from tests.toys import TOYS, federate, initial, job_of, trainer_of

TOY = TOYS["multiclass"]


def test_heads_differ_between_clients_and_bodies_are_shared() -> None:
    ended = federate(TOY, FedPer(), rounds=2)
    heads = [ended.memory(client)["@local"] for client in range(3)]
    assert heads[0].keys() == {"head.weight", "head.bias"}
    assert not torch.equal(heads[0]["head.weight"], heads[1]["head.weight"])
    assert {name for name in ended.shared if name.startswith("head.")} == set()
    assert {name for name in ended.shared if name.startswith("features.")} == set(ended.shared)


def test_head_and_body_train_together_in_one_pass() -> None:
    """In round 1 all heads are alike, so a client trains exactly as under FedAvg."""
    outcomes = []
    for method in (FedPer(), FedAvg()):
        trainer = trainer_of(TOY, method)
        outcomes.append((trainer.train(job_of(trainer)), dict(trainer.net.state_dict())))
    (personal, mine), (_, plain) = outcomes
    assert all(torch.equal(mine[name], plain[name]) for name in plain)
    assert all(torch.equal(personal.state["@local"][name], plain[name]) for name in ("head.weight", "head.bias"))


def test_a_client_that_never_trained_starts_from_the_common_first_head() -> None:
    trainer = trainer_of(TOY, FedPer())
    first = {name: tensor.clone() for name, tensor in trainer.net.state_dict().items()}
    trainer.train(job_of(trainer, client=0))
    trainer.receive(job_of(trainer, client=1, shared=initial(TOY, FedPer())))
    assert all(torch.equal(trainer.net.state_dict()[name], first[name]) for name in first)
