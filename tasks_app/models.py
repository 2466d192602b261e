"""The permissions of staff, which Django creates for a model; it has no table, and nothing to migrate."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from .users import CANCEL_TASK, VIEW_TASK


class _NoTasks(models.Manager["Task"]):
    """A manager that finds no row, without a query: `dumpdata` and the like read every model."""

    def get_queryset(self) -> models.QuerySet["Task"]:
        return super().get_queryset().none()


class Task(models.Model):
    """A name for permissions, and for admin themes, which expect a model of each entry; tasks are in the cache."""

    task_id: "models.CharField[str, str]" = models.CharField(primary_key=True, max_length=128)

    objects: ClassVar[_NoTasks] = _NoTasks()

    class Meta:
        managed = False
        base_manager_name = "objects"
        default_permissions = ()
        permissions = [
            (VIEW_TASK, "Can view the tasks of everybody"),
            (CANCEL_TASK, "Can cancel the tasks of everybody"),
        ]
        verbose_name = _("Task")
        verbose_name_plural = _("Tasks")

    def __str__(self) -> str:
        return self.task_id
