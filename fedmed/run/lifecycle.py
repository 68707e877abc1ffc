"""A run from its first round, or from its last checkpoint, to its final result."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, MetricRecord, RecordDict
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import Strategy

from fedmed.checks import MismatchError, check_finite
from fedmed.config.build import build, config_of, to_yaml
from fedmed.config.stored import read_stored
from fedmed.deploy.launch import check_portable, launch
from fedmed.devices import device_of, drawn_from, settings_kept
from fedmed.engine.base import Engine, LaunchingEngine
from fedmed.errors import refuse
from fedmed.experiment import Experiment
from fedmed.flower import (
    EvaluationPlan,
    FaultRow,
    FaultTolerance,
    RoundCallbacks,
    RoundResult,
    ServerSettings,
    ServerState,
    strategy,
)
from fedmed.flower.memory import read_memory, write_memory
from fedmed.flower.messages import flat
from fedmed.flower.nodes import await_nodes
from fedmed.flower.records import pack, unpack
from fedmed.flower.server_app import server_app
from fedmed.heap import growing, keep_freed_memory
from fedmed.run.apps import simulated_app
from fedmed.run.directory import create, reopen
from fedmed.run.evaluation import assess_test, evaluate_finally
from fedmed.run.judging import judged, pooled, unjudged, waited
from fedmed.run.parts import Parts, build_parts
from fedmed.run.resumption import lengthen, stored_config
from fedmed.run.rows import audit_rows, client_rows, round_row
from fedmed.run.tracked_run import subject
from fedmed.rundir import checkpoint
from fedmed.rundir.checkpoint import Checkpoint
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.final import Final, best_round, measured, summarise
from fedmed.rundir.schema import check_result
from fedmed.terminal.progress import RunDisplay
from fedmed.tracking import TrackedRun


def run(experiment: Experiment, directory: Path, *, show: RunDisplay) -> Final:
    """Runs an experiment from the start; its directory is made only when everything has been checked."""
    engine, config_yaml = experiment.engine, to_yaml(config_of(experiment))
    if isinstance(engine, LaunchingEngine):
        check_portable(config_of(experiment))
        if engine.site_images is None:
            with _prepared(experiment):
                pass  # what is wrong is refused here, before anything is handed over
        return launch(engine, config_yaml, directory, resume=False)
    with _prepared(experiment) as parts:
        return _go(engine, parts, create(parts, directory, config_yaml), show)


def resume(directory: Path, *, overrides: list[str], show: RunDisplay, trusted: Sequence[Path] = ()) -> Final:
    """Continues a run bitwise from its last checkpoint; a finished one gives its result again.

    One that was killed while its directory was made begins.

    overrides: what the run is, repeated; only `rounds` may be more, if the result is that of a run as long.
    trusted: files and folders with code that the run may import, beside that of fedmed and of the user's own folders.
    Raises `UserError` where an override, the data or the code of fedmed's options differ from those of the run.
    """
    kept, began = RunDirectory.find(directory)
    experiment = build(stored_config(kept, overrides, trusted, show))
    if not began:
        return run(experiment, directory, show=show)
    return continued(kept, experiment, show=show)


def continued(kept: RunDirectory, experiment: Experiment, *, show: RunDisplay, rounds: int | None = None) -> Final:
    """Continues a run, or gives the result of a finished one again; see `resume`.

    experiment: the run's own. rounds: how many it is to have, if more than it had.
    """
    experiment = experiment if rounds is None else replace(experiment, rounds=rounds)
    lengthen(kept, experiment)
    if (final := kept.final()) is not None and kept.status == "finished":
        check_result(final, str(kept.path / "final.json"))
        show.note(f"{kept.path} is finished; this is its result")
        return final
    engine = experiment.engine
    if isinstance(engine, LaunchingEngine):
        return launch(engine, kept.config_yaml, kept.path, resume=True)
    with _prepared(experiment) as parts:
        return _go(engine, parts, reopen(parts, kept.path), show)


def serve(
    grid: Grid, experiment: Experiment, directory: Path, *, config_yaml: str, resume: bool, show: RunDisplay
) -> Final:
    """What the SuperLink's ServerApp does of a run: all of it, on the grid that it is given.

    experiment: as it is on this machine. config_yaml: as it was submitted, to be kept. resume: whether to continue.
    """
    with _prepared(experiment) as parts:
        await_nodes(grid, len(parts.world.shares), within=parts.experiment.engine.answers_within(), say=show.note)
        kept = reopen(parts, directory) if resume else create(parts, directory, config_yaml)
        with kept.under_way():
            return _Run(parts, kept, show, grid).go()


def _go(engine: Engine, parts: Parts, kept: RunDirectory, show: RunDisplay) -> Final:
    """The rounds of a run on the grid that the engine lends, which lets go of what it holds however they end."""
    app = simulated_app(to_yaml(read_stored(kept.path)))
    engine = engine.fitted(parts.trainer, parts.workload(done=len(kept.rows("rounds"))), show.note)
    if parts.experiment.client_timeout is not None and not engine.cuts_off:
        show.warn("client_timeout: a client in this process cannot be ended before it is done; engine=pool can do that")
    with kept.under_way(), engine.open(parts.trainer, len(parts.world.shares), app) as grid:
        return _Run(parts, kept, show, grid).go()


class _Run:
    """A run under way: what happens around its rounds."""

    def __init__(self, parts: Parts, kept: RunDirectory, show: RunDisplay, grid: Grid) -> None:
        self._parts, self._kept, self._show, self._grid = parts, kept, show, grid
        self._rows: list[dict[str, Any]] = []
        self._touched: set[int] = set()
        self._progress = ServerState()

    def go(self) -> Final:
        """All rounds after the last checkpoint, then the final evaluation."""
        parts, chosen = self._parts, self._parts.experiment
        saved = checkpoint.recover(self._kept.checkpoints)
        if not saved and parts.net.begun:
            self._show.note(parts.net.begun)
        shared = self._restore(saved) if saved else {n: t.clone() for n, t in parts.trainer.shared.items()}
        about = subject(parts, self._kept, done=self._progress.round)
        kept = self._kept.go_back(self._progress.round)
        self._rows = [judged(row) for row in kept]
        plan = strategy(
            parts.chain,
            self._settings(shared),
            evaluation=EvaluationPlan(
                due=self._evaluates,
                by_clients="client" in chosen.scopes,
                adapted="adapted" in chosen.scopes,
                pooled=pooled(parts),
            ),
            callbacks=RoundCallbacks(after_round=self._after, on_fault=self._fault),
            history=False,
            progress=self._progress,
        )
        rounds = self._progress.round if self._out_of_patience() else chosen.rounds
        with TrackedRun(parts.experiment.tracking, about, kept=kept, warn=self._show.warn) as self._followed:
            with self._show:
                self._show.start(rounds=rounds, done=self._progress.round, metric=parts.metric)
                self._app(plan, shared, rounds)(self._grid, Context(1, 0, {}, RecordDict(), {}))
            return self._finish()

    def _settings(self, shared: Mapping[str, torch.Tensor]) -> ServerSettings:
        parts, chosen = self._parts, self._parts.experiment
        return ServerSettings(
            seed=chosen.seed,
            clients_per_round=chosen.clients_per_round,
            conditions=parts.conditions,
            optimizer=chosen.server,
            parameters=frozenset(name for name, _ in parts.net.named_parameters()) & shared.keys(),
            tolerance=FaultTolerance(
                on_client_error=chosen.on_client_error,
                min_clients=chosen.min_clients,
                client_timeout=chosen.client_timeout,
            ),
            net=lambda: parts.trainer.begun_anew().net,
        )

    def _app(self, plan: Strategy, shared: Mapping[str, torch.Tensor], rounds: int) -> ServerApp:
        config, timeout = ConfigRecord({"run": self._kept.label}), self._parts.experiment.engine.answers_within()
        return server_app(plan, pack(shared), rounds, self._score, config=config, timeout=timeout)

    def _evaluates(self, round: int) -> bool:
        chosen = self._parts.experiment
        return bool(round % chosen.eval_every == 0 or round == chosen.rounds)

    def _score(self, round: int, arrays: ArrayRecord) -> MetricRecord | None:
        """Scores of the global model on the server's test images; None where there is none."""
        parts = self._parts
        if "test" not in parts.experiment.scopes or parts.personal or not len(parts.world.test):
            return None
        return MetricRecord(dict(flat("test", assess_test(parts, self._grid, unpack(arrays)).scores())))

    def _after(self, result: RoundResult) -> bool:
        """Keeps what the round gave; whether the run has run out of patience."""
        row = round_row(result, self._parts.directions)
        self._rows.append(judged(row))
        self._kept.append("rounds", [row])
        self._followed.round(row)
        self._kept.append("clients", client_rows(result))
        if rows := audit_rows(result, [audit.completeness for audit in self._parts.world.audit]):
            self._kept.append("audit", rows)
        trained = [*result.clients, *(row for row in result.missing if "late" in row)]
        self._touched.update(int(client["client"]) for client in trained)
        best = self._best()
        if best is not None and best["round"] == result.round:
            checkpoint.save_best(self._kept.checkpoints, result.round, result.shared)
        stop = self._out_of_patience()
        chosen = self._parts.experiment
        if stop or result.round % chosen.checkpoint_every == 0 or result.round == chosen.rounds:
            self._commit(result)
        self._show.round(row)
        if warning := unjudged(self._rows, self._parts.metric):
            self._show.warn(warning)
        return stop

    def _fault(self, row: FaultRow) -> None:
        """Keeps a row about a client at fault."""
        self._kept.append("faults", [row])
        if self._parts.experiment.on_client_error == "skip":
            where = f"client {row['client']}, round {row['round']}, {row['stage']}"
            self._show.warn(f"{where}: left out, {row['what']}")

    def _out_of_patience(self) -> bool:
        patience, best = self._parts.experiment.patience, self._best()
        return patience is not None and best is not None and waited(self._rows, best) >= patience

    def _best(self) -> dict[str, Any] | None:
        """The row of the best round so far."""
        found = best_round(self._rows, self._parts.metric, directions=self._parts.directions)
        return None if found is None else dict(found)

    def _commit(self, result: RoundResult) -> None:
        saved = Checkpoint(
            round=result.round,
            shared=result.shared,
            server=self._progress.kept(),
            clients=self._memory(),
        )
        self._kept.sync()  # a checkpoint on the disk says that the rows of its rounds are there too
        checkpoint.save(self._kept.checkpoints, saved)
        self._touched.clear()

    def _memory(self) -> dict[int, dict[str, Any]]:
        """The memory of the clients that trained since the last commit; nothing where they keep it to themselves."""
        if not self._parts.experiment.engine.simulates:
            return {}
        return read_memory(self._grid, sorted(self._touched))

    def _restore(self, saved: Checkpoint) -> Mapping[str, torch.Tensor]:
        self._progress.restore(saved.round, saved.server)
        write_memory(self._grid, saved.clients)
        try:
            check_finite(saved.shared, f"weights after round {saved.round}")
        except MismatchError as error:
            fix = "It was written by an earlier version of fedmed; start a new run."
            raise refuse(str(self._kept.checkpoints), error.expected, error.got, fix) from error
        return saved.shared

    def _finish(self) -> Final:
        rounds, clients = self._kept.rows("rounds"), self._kept.rows("clients")
        final = summarise(
            rounds,
            clients,
            metric=self._parts.metric,
            seconds=sum(row["seconds"] for row in rounds),
            directory=self._kept.path,
            directions=self._parts.directions,
        )
        final |= evaluate_finally(self._parts, self._kept, self._grid)
        if faults := len(self._kept.rows("faults")):
            final["faults"] = faults
        if self._parts.experiment.scopes and not measured(final):
            self._show.warn("nothing was measured: no metric of the last model has a value")
        self._kept.finish(final)
        self._followed.finish(final)
        return final


@contextmanager
def _prepared(experiment: Experiment) -> Iterator[Parts]:
    """The parts of a run; inside the block torch has the run's number of threads and random numbers of its own."""
    logging.getLogger("flwr").setLevel(logging.WARNING)
    keep_freed_memory()
    experiment.engine.check()
    experiment.tracking.check()
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=drawn_from(device_of(experiment.device))):
        torch.set_num_threads(experiment.torch_threads)
        try:
            with settings_kept("the files of methods, dataset, model, loss and metrics"), growing():
                parts = build_parts(experiment)
            yield parts
        finally:
            torch.set_num_threads(threads)
