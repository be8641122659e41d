"""Tasks: what a row is labelled with, and all that follows from that."""

from cgl_ignite.tasks.base import TASKS, Coded, Task, task_of
from cgl_ignite.tasks.multi_label import MULTI_LABEL, MULTI_LABEL_METRICS
from cgl_ignite.tasks.single_label import SINGLE_LABEL

__all__ = ["MULTI_LABEL", "MULTI_LABEL_METRICS", "SINGLE_LABEL", "TASKS", "Coded", "Task", "task_of"]
