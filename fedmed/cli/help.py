"""The text of `fedmed run --help`, made from what was found."""

from __future__ import annotations

from collections.abc import Iterable
from shutil import get_terminal_size
from textwrap import fill

from fedmed.options.catalogue import discover
from fedmed.options.fields import Field
from fedmed.options.groups import GROUPS, PARTS, SETTINGS
from fedmed.options.usual import MODEL, MODELS

HEAD = """\
usage: fedmed run [OPTION=VALUE ...] [--multirun] [--json] [--quiet] [--open] [--cfg job]

Runs a federated simulation: divides a dataset among clients, trains a model with a
method, evaluates it, and leaves everything in a run directory under ./runs (or
$FEDMED_RUNS, or where hydra.run.dir= says).

  fedmed run strategy=fedprox strategy.mu=0.1 dataset=synthetic_multilabel seed=1
  fedmed run strategy=fedprox+fedbn strategy.fedprox.mu=0.1       # methods combined
  fedmed run strategy=path/to/file.py:MyMethod                    # a method of your own
  fedmed run experiment=smoke --multirun strategy=fedavg,fedprox seed=0,1
  fedmed run resume=runs/2026-01-31_12-00-00_fedavg_npz_1a2b3c

  -m, --multirun  run every combination of the values separated by commas
  --json          only the final metrics on standard output, as one JSON object per run
  -q, --quiet     no progress
  --open          show the page about it in the browser at the end (see fedmed report)
  -c, --cfg job   print the composed config and stop (also: hydra, all; --resolve,
                  --package PART)
  --config-dir DIR  look for choices in this folder too, such as DIR/experiment/mine.yaml
  --info, --hydra-help, --shell-completion  as of any Hydra application
  --trust PATH    with resume=: a file, or a folder with all below, whose code the run
                  directory may import, beside that of ./strategies and $FEDMED_PATH"""


def run_help() -> str:
    """What a run is, its settings with their defaults, and the options of every group."""
    catalogue = discover()
    parts = [
        HEAD,
        "Settings:",
        _settings("", SETTINGS.values()),
        *(_settings(f"{part}.", fields.values()) for part, fields in PARTS.items()),
    ]
    parts.append("Choices, each with options of its own (fedmed list strategies, for instance):")
    parts.append("\n".join(_choice(group, catalogue.options[group]) for group in GROUPS))
    return "\n\n".join(parts)


def _settings(prefix: str, fields: Iterable[Field]) -> str:
    return "\n".join(_line(f"{prefix}{field.name}={field.default_text}", field.meaning) for field in fields)


def _choice(group: str, names: Iterable[str]) -> str:
    usual = ", ".join(f"{model} for {task}" for task, model in MODELS.items())
    default = f" (by default {MODEL}, {usual})" if group == "model" else ""
    return _line(f"{group}=", f"{', '.join(names)}{default}")


def _line(left: str, right: str) -> str:
    width, indent = max(60, min(get_terminal_size().columns, 100)), 30
    lead = f"  {left}".ljust(indent)
    start = lead if len(lead) <= indent else f"{lead}  "
    return fill(right, width, initial_indent=start, subsequent_indent=" " * indent, break_on_hyphens=False)
