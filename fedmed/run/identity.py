"""What makes a run the run that it is: one digest, for resuming it, and fingerprints, for comparing it with others."""

from __future__ import annotations

from hashlib import blake2b

from fedmed import __version__
from fedmed.config.build import config_of, target_of
from fedmed.config.identity import UNIDENTIFIED, as_kept, digest_of_files, files_beside, identified
from fedmed.config.values import Config
from fedmed.data.world import World
from fedmed.experiment import Experiment
from fedmed.models.content import installed
from fedmed.models.net import Net
from fedmed.options.class_sources import digest_of
from fedmed.options.groups import GROUPS
from fedmed.run.conditions import fingerprint


def identity(experiment: Experiment, world: World, net: Net, *, kept: Config | None = None, files: str = "") -> str:
    """A digest of all that can change a round: the config, without paths but with what they held; own code.

    How many rounds there are is left out: `fedmed.run.resumption` decides whether a run may have more.
    kept: the config of a run that goes on, which may be of a version that lacked some settings; None for a new run.
    files: as in the run's fingerprints; empty for a run of a version that did not look at them, which so keeps its
        identity.
    """
    config = config_of(experiment) if kept is None else as_kept(config_of(experiment), kept)
    digest = blake2b(identified(config, without=("rounds",)).encode(), digest_size=16)
    digest.update("".join(world.fingerprint).encode() + fingerprint(experiment))
    digest.update(files.encode())
    for part in world.parts:
        digest.update(part.tobytes() + b"/")
    for tensor in net.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def fingerprints(experiment: Experiment, world: World) -> dict[str, str]:
    """Digests by which two runs are known to be comparable.

    data: digest of the images and labels that clients train and validate on, before anyone divides or annotates them.
    test: digest of the server's. strategy: digest of the methods' source files, in order, each with the private modules
    that it imports. fedmed: its version. files: digest of `files_beside`, and of the sources of classes of a module or
    notebook of the user's, if there are any.
    """
    strategy = digest_of(type(method) for method in experiment.methods.members.values())
    data, test = world.fingerprint
    files = digest_of_files(files_beside(config_of(experiment))) + _unnamed(experiment)
    found = {"data": data, "test": test, "strategy": strategy, "fedmed": __version__}
    return found | ({"files": files} if files else {})


def _unnamed(experiment: Experiment) -> str:
    """A digest of the sources of the user's classes that the config names by no file; empty where there are none."""
    groups = [name for name in GROUPS if name not in (*UNIDENTIFIED, "strategy")]
    classes = map(type, (*experiment.methods.members.values(), *(getattr(experiment, name) for name in groups)))
    own = [cls for cls in classes if not (cls.__module__.startswith("fedmed.") or ".py:" in target_of(cls))]
    own = [cls for cls in own if not installed(cls)]
    return digest_of(own) if own else ""
