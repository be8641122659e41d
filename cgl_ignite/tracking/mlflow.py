"""Runs in MLflow: a database or a server, through one client; the only module that imports MLflow."""

from __future__ import annotations

import functools
import logging
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from filelock import Timeout
from mlflow import MlflowClient
from mlflow.entities import Param, RunTag
from mlflow.exceptions import MlflowException
from requests import RequestException
from sqlalchemy.exc import SQLAlchemyError

from cgl_ignite.tracking.base import DatasetInfo, MetricsRow, RunInfo, Status, StudentModel, TrackerError, UnknownRun
from cgl_ignite.tracking.database import prepare
from cgl_ignite.tracking.entities import DESCRIPTION, batches, dataset_input, description
from cgl_ignite.tracking.guard import warn_by_log
from cgl_ignite.tracking.keys import EPOCH
from cgl_ignite.tracking.patience import Patience
from cgl_ignite.tracking.process import gone, host, identity
from cgl_ignite.tracking.store import Store

__all__ = ["MLflowTracker"]

P = ParamSpec("P")
T = TypeVar("T")
FAULTS = (MlflowException, SQLAlchemyError, RequestException, OSError, ImportError, Timeout)
TALKATIVE = ("alembic", "mlflow.models", "mlflow.pyfunc", "mlflow.pytorch")
TRACEBACKS = ("mlflow.store.db", "mlflow.store.db.utils", "mlflow.store.tracking", "mlflow.utils", "urllib3")
"""Loggers that tell a failure at length before it is raised."""
HTTP = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Of stores behind a server, unless the user has set them."""
PARAMETER_LENGTH = 6000
CAUSE = re.compile(r"""Caused by (\w+)\(["'](?:.*: )?(.+?)["']\)*$""")
"""What the message of a failed HTTP request ends with."""
GONE = "RESOURCE_DOES_NOT_EXIST"
PARENT = "mlflow.parentRunId"


def _tracked(
    method: Callable[Concatenate[MLflowTracker, P], T],
) -> Callable[Concatenate[MLflowTracker, P], T]:
    """Turn the faults of a store into a :class:`TrackerError` of one line, and leave a store alone that has failed.

    What MLflow uses of other libraries that is deprecated there, and what it says of its own types while it is
    imported, is not our user's concern.
    """

    @functools.wraps(method)
    def call(self: MLflowTracker, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.patience.call(lambda: one_line(self, *args, **kwargs))

    def one_line(self: MLflowTracker, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
                return method(self, *args, **kwargs)
        except FAULTS as error:
            gone = isinstance(error, MlflowException) and error.error_code == GONE
            raise (UnknownRun if gone else TrackerError)(f"{self.uri}: {_one_line(error)}") from error

    return call


class MLflowTracker:
    """A tracker on :class:`mlflow.MlflowClient`; MLflow's global state is left as it is."""

    def __init__(self, store: Store, warn: Callable[[str], None] = warn_by_log) -> None:
        self.store = store
        self.warn = warn
        self.patience = Patience()
        self._client: MlflowClient | None = None
        self._opened: tuple[int, int] | None = None
        self._swept: set[str] = set()
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        for name in TRACEBACKS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if store.uri.startswith("http"):
            for name, value in HTTP.items():
                os.environ.setdefault(name, value)

    @property
    def uri(self) -> str:
        """Where the runs are."""
        return self.store.uri

    @property
    def client(self) -> MlflowClient:
        """The client; a database that is not there, or is another file than before, is made ready first."""
        database = self.store.database
        if self._client is None or (database is not None and _identity_of(database) != self._opened):
            if database is not None:
                prepare(self.store, database, self.warn)
                self._opened = _identity_of(database)
            self._client = MlflowClient(self.uri)
        return self._client

    @_tracked
    def open(self, info: RunInfo) -> str:
        """Start a run, or a group of runs; runs of this host whose process has ended become KILLED.

        One of which the store has not taken everything is FAILED, as nobody knows its id.
        """
        experiment = self._experiment(info.experiment)
        self._sweep(experiment)
        tags = {**info.tags, **_parent(info), **identity()}
        run_id = str(self.client.create_run(experiment, tags=tags, run_name=info.name).info.run_id)
        try:
            self._log_parameters(run_id, info.parameters)
            if info.dataset is not None:
                self._log_dataset(run_id, info.dataset)
        except FAULTS:
            with suppress(*FAULTS):
                self.client.set_terminated(run_id, "FAILED")
            raise
        return run_id

    def _log_dataset(self, run_id: str, dataset: DatasetInfo) -> None:
        """Note what a run reads; of runs that note the same new data set at once, a database refuses all but one."""
        inputs = [dataset_input(dataset)]
        try:
            self.client.log_inputs(run_id, datasets=inputs)
        except MlflowException as error:
            if "dataset" not in str(error):
                raise
            self.client.log_inputs(run_id, datasets=inputs)

    @_tracked
    def reopen(self, run_id: str, info: RunInfo) -> None:
        """Go on with a run; a parameter that changed becomes a tag ``changed.NAME``."""
        run, parameters = self.client.get_run(run_id), info.parameters
        self._sweep(run.info.experiment_id)
        before = run.data.params
        self._log_parameters(run_id, {key: parameters[key] for key in parameters.keys() - before.keys()})
        changed = {
            f"changed.{key}": parameters[key]
            for key in parameters.keys() & before.keys()
            if parameters[key][:PARAMETER_LENGTH] != before[key]
        }
        parent = {} if PARENT in run.data.tags else _parent(info)
        tags = [RunTag(key, value) for key, value in {**changed, **parent, **identity()}.items()]
        self.client.log_batch(run_id, tags=tags)
        self.client.update_run(run_id, status="RUNNING")

    @_tracked
    def status(self, run_id: str) -> str | None:
        """Return the status of a run; None if the store has no such run."""
        try:
            return str(self.client.get_run(run_id).info.status)
        except MlflowException as error:
            if error.error_code != GONE:
                raise
            return None

    @_tracked
    def last_epoch(self, run_id: str) -> int:
        """Return the newest epoch that is recorded, 0 if there is none."""
        return int(self.client.get_run(run_id).data.metrics.get(EPOCH, 0))

    @_tracked
    def log(self, run_id: str, rows: Sequence[MetricsRow]) -> None:
        """Record rows, several to a call; only a long outage needs more than one call."""
        for metrics in batches(rows):
            self.client.log_batch(run_id, metrics=metrics)

    @_tracked
    def file(self, run_id: str, path: Path, folder: str) -> None:
        """Store a file with the run."""
        self.client.log_artifact(run_id, str(path), folder or None)

    @_tracked
    def model(self, run_id: str, model: StudentModel) -> str:
        """Store a student as a ``torch.export`` program with its signature, never as a pickle."""
        from cgl_ignite.tracking.models import log_student

        return log_student(self.client, run_id, model)

    @_tracked
    def register(self, model: str, name: str) -> str:
        """Make a stored model a version of a registered model, if it is none of its versions yet."""
        from cgl_ignite.tracking.models import register_student

        return register_student(self.client, model, name)

    @_tracked
    def describe(self, run_id: str, text: str) -> None:
        """Give a run a description, which MLflow shows as Markdown."""
        self.client.set_tag(run_id, DESCRIPTION, description(text))

    @_tracked
    def close(self, run_id: str, status: Status) -> None:
        """End a run with its true status."""
        self.client.set_terminated(run_id, status)

    def renew(self) -> None:
        """Try the store with the next call, even if it has failed a short while ago."""
        self.patience.renew()

    @_tracked
    def newest_experiment(self) -> str | None:
        """Return the id of the experiment with the newest run, None if there is no run."""
        ids = [found.experiment_id for found in self.client.search_experiments()]
        runs = self.client.search_runs(ids, max_results=1, order_by=["attributes.start_time DESC"])
        return str(runs[0].info.experiment_id) if runs else None

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is None:
            place = None if self.store.artifacts is None else self.store.artifacts.as_uri()
            try:
                return str(self.client.create_experiment(name, artifact_location=place))
            except MlflowException:
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _log_parameters(self, run_id: str, parameters: Mapping[str, str]) -> None:
        stored = [Param(key, value[:PARAMETER_LENGTH]) for key, value in sorted(parameters.items())]
        if stored:
            self.client.log_batch(run_id, params=stored)

    def _sweep(self, experiment: str) -> None:
        """End the runs of this host that a dead process left running, once per experiment."""
        if experiment in self._swept:
            return
        self._swept.add(experiment)
        left = f"attributes.status = 'RUNNING' and tags.`cgl.host` = '{host()}'"
        for run in self.client.search_runs([experiment], left):
            if gone(run.data.tags):
                epochs = self.client.get_metric_history(run.info.run_id, EPOCH)
                end = max((metric.timestamp for metric in epochs), default=run.info.start_time)
                self.client.set_terminated(run.info.run_id, "KILLED", end)


def _parent(info: RunInfo) -> dict[str, str]:
    return {} if info.parent is None else {PARENT: info.parent}


def _identity_of(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _one_line(error: BaseException) -> str:
    """Tell an error in one line; of a request that failed, the cause alone."""
    lines = str(error).strip().splitlines()
    if lines and (cause := CAUSE.search(lines[0])):
        return ": ".join(cause.groups())
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
