import torch

from fedmed.method import Method
from fedmed.method.contract import HOOKS
from fedmed.strategies.fedavg import FedAvg
from tests.toys import TOYS, federate, job_of, trainer_of

TOY = TOYS["multiclass"]


def test_it_overrides_nothing() -> None:
    assert [hook for hook in HOOKS if getattr(FedAvg, hook) is not getattr(Method, hook)] == []


def test_the_new_weights_are_the_mean_of_the_clients_by_training_images() -> None:
    toy = TOY.with_train(0, lambda held: held[:5])
    trainer = trainer_of(toy, FedAvg())
    start = job_of(trainer).shared
    models = []
    for client in range(3):
        outcome = trainer.train(job_of(trainer, client=client, shared=start))
        models.append({name: tensor.double() for name, tensor in outcome.weights.items()})
    shared = federate(toy, FedAvg(), rounds=1).shared
    for name, tensor in shared.items():
        if tensor.is_floating_point():
            wanted = (5 * models[0][name] + 12 * models[1][name] + 12 * models[2][name]) / 29
            torch.testing.assert_close(tensor.double(), wanted, rtol=1e-5, atol=1e-7)
        else:
            assert tensor == max(model[name] for model in models)
