from __future__ import annotations

import sys

import pytest

from cgl_ignite.tracking import SystemMetrics
from cgl_ignite.tracking.process import gone, identity


class Counter:
    def __init__(self):
        self.samples = []

    def collect_metrics(self):
        self.samples.append(float(len(self.samples)))

    def aggregate_metrics(self):
        return {"load": sum(self.samples) / len(self.samples)} if self.samples else {}

    def clear_metrics(self):
        self.samples.clear()


def test_samples_are_taken_no_more_often_than_asked_and_averaged():
    now = [0.0]
    system = SystemMetrics(every=2.0, clock=lambda: now[0])
    system.monitors = [Counter()]
    for now[0] in (0.0, 1.0, 1.9, 2.0, 3.9, 4.0):
        system.poll()
    assert system.values() == {"system/load": 1.0}
    assert system.values() == {}


def test_the_cpu_is_measured():
    system = SystemMetrics(every=0.0)
    system.poll()
    values = system.values()
    assert system.notes == []
    assert 0 <= values["system/cpu_utilization_percentage"] <= 100
    assert values["system/system_memory_usage_megabytes"] > 0


@pytest.mark.parametrize(("module", "name"), [("cpu", "psutil"), ("gpu", "nvidia-ml-py")])
def test_what_is_missing_is_said_in_one_line(monkeypatch, module, name):
    monkeypatch.setitem(sys.modules, f"mlflow.system_metrics.metrics.{module}_monitor", None)
    system = SystemMetrics(cuda=True)
    assert [note for note in system.notes if name in note] == [
        f"{module.upper()} load is not recorded: pip install {name}"
    ]


def test_a_process_knows_itself_and_is_gone_when_its_number_belongs_to_another():
    tags = identity()
    assert not gone(tags)
    assert gone({**tags, "cgl.start": "1.00"})
    assert not gone({**tags, "cgl.start": str(float(tags["cgl.start"]) + 5.0)})
    assert gone({**tags, "cgl.pid": "4194305"})
    assert not gone({**tags, "cgl.host": "elsewhere", "cgl.pid": "4194305"})
    assert not gone({})
