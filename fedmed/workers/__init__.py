"""Worker processes, as engines and campaigns both need them: started, listened to, replaced when dead, and ended."""

from fedmed.workers.process import WorkerProcess
from fedmed.workers.supervisor import Death, Supervisor, Worker

__all__ = ["Death", "Supervisor", "Worker", "WorkerProcess"]
