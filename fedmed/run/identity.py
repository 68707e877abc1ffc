"""What makes a run the run that it is: one digest, for resuming it, and marks, for comparing it with others."""

from __future__ import annotations

from hashlib import blake2b

from fedmed import __version__
from fedmed.config.build import config_of
from fedmed.config.identity import as_kept, identified
from fedmed.config.values import Config
from fedmed.data.world import World
from fedmed.experiment import Experiment
from fedmed.method import Chain
from fedmed.models.net import Net
from fedmed.options.class_sources import digest_of
from fedmed.run.conditions import fingerprint


def identity(experiment: Experiment, world: World, net: Net, *, kept: Config | None = None) -> str:
    """A digest of all that can change a round: the config, without paths but with what they held; own code.

    How many rounds there are is left out: `fedmed.run.resumption` decides whether a run may have more.
    kept: the config of a run that goes on, which may be of a version that lacked some settings; None for a new run.
    """
    config = config_of(experiment) if kept is None else as_kept(config_of(experiment), kept)
    digest = blake2b(identified(config, without=("rounds",)).encode(), digest_size=16)
    digest.update("".join(world.fingerprint).encode() + fingerprint(experiment))
    for part in world.parts:
        digest.update(part.tobytes() + b"/")
    for tensor in net.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def marks(world: World, chain: Chain) -> dict[str, str]:
    """Digests by which two runs are known to be comparable.

    data: digest of the images and labels that clients train and validate on, before anyone divides or annotates them.
    test: digest of the server's. strategy: digest of the methods' source files, in order, each
    with the private modules that it imports. fedmed: its version.
    """
    strategy = digest_of(type(method) for method in chain.members.values())
    data, test = world.fingerprint
    return {"data": data, "test": test, "strategy": strategy, "fedmed": __version__}
