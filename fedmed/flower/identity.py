"""The one shim for a private Flower name."""


def identify() -> None:
    """Lets `flwr.app.Message` be built outside Flower's own processes.

    From Flower 1.38 on, `Message(content, node, type)` reads the private, process-wide `TaskIdentity`, which only
    Flower's own launchers set. Before 1.38 there is nothing to do.
    """
    try:
        from flwr.supercore.task_identity import TaskIdentity
    except ImportError:
        return
    try:
        _ = TaskIdentity.run_id
    except (AttributeError, RuntimeError):  # nobody has set it; one that is set is of a runtime of Flower's own
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 0
