"""The progress displays of rich, where it is installed; nothing else knows it.

What is used of it is documented: a class derived from `Progress` overrides methods, and reads attributes of its tasks.
"""

from collections.abc import Callable, Iterator
from typing import Any

from .capture import Capture, CapturedBar, Reading, find_capture
from .derived import convert, wrap_init

#: What is overridden.
METHODS = ("add_task", "advance", "remove_task", "reset", "stop", "track", "update")


def hook_rich() -> None:
    """Have displays ask for a capture when they are made.

    Raises:
        ImportError, AttributeError, TypeError: rich is not installed, or not the one that is known.
    """
    from rich import errors, markup, progress

    plain = progress.Progress

    def read(task: Any) -> Reading:
        try:
            description = markup.render(task.description).plain
        except errors.MarkupError:
            description = task.description
        return Reading(task.completed, task.total, None, description)

    missing = [name for name in METHODS if not hasattr(plain, name)]
    if missing:
        raise AttributeError(f"Progress has no {missing!r}")

    class Captured(plain):  # type: ignore[misc, valid-type]
        """A display of rich, each of whose tasks is a bar that is captured."""

        tasks_app_bar = None
        tasks_app_bars: dict[Any, CapturedBar]
        tasks_app_capture: Capture

        def add_task(self, *args: Any, **kwargs: Any) -> Any:
            task_id = super().add_task(*args, **kwargs)
            self.tasks_app_begin(task_id)
            return task_id

        def update(self, task_id: Any, **kwargs: Any) -> None:
            super().update(task_id, **kwargs)
            self.tasks_app_look(task_id)

        def advance(self, task_id: Any, *args: Any, **kwargs: Any) -> None:
            super().advance(task_id, *args, **kwargs)
            self.tasks_app_look(task_id)

        def reset(self, task_id: Any, **kwargs: Any) -> None:
            super().reset(task_id, **kwargs)
            if (bar := self.tasks_app_bars.get(task_id)) is not None:
                bar.look()
            self.tasks_app_look(task_id)

        def remove_task(self, task_id: Any) -> None:
            self.tasks_app_end(task_id)
            super().remove_task(task_id)

        def stop(self) -> None:
            for task_id in list(self.tasks_app_bars):
                self.tasks_app_end(task_id)
            super().stop()

        def track(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            for item in super().track(*args, **kwargs):
                self.tasks_app_check()
                yield item

        def tasks_app_begin(self, task_id: Any) -> None:
            task = next(task for task in self.tasks if task.id == task_id)
            if self.tasks_app_capture.is_on:
                self.tasks_app_bars[task_id] = self.tasks_app_capture.begin(lambda: read(task), bool)

        def tasks_app_end(self, task_id: Any) -> None:
            if (bar := self.tasks_app_bars.pop(task_id, None)) is not None:
                bar.end()

        def tasks_app_look(self, task_id: Any) -> None:
            """End the bar of a task that is done, begin that of one that is not, and look for a cancel."""
            task = next((task for task in self.tasks if task.id == task_id), None)
            if task is not None:
                is_done = task.total is not None and task.completed >= task.total
                if is_done:
                    self.tasks_app_end(task_id)
                elif task_id not in self.tasks_app_bars:
                    self.tasks_app_begin(task_id)
            self.tasks_app_check()

        def tasks_app_check(self) -> None:
            """Raise `TaskCancelled` if the task was asked to stop, but not in a thread of rich's own."""
            if find_capture() is self.tasks_app_capture:
                self.tasks_app_capture.raise_if_cancelled()

    def make(item: Any, capture: Capture, init: Callable[..., None], args: tuple[Any, ...], kwargs: Any) -> None:
        if kwargs.get("disable") or not convert(item, Captured):
            init(item, *args, **kwargs)
            return
        item.tasks_app_bars, item.tasks_app_capture = {}, capture
        init(item, *args, **{**kwargs, "disable": True} if capture.is_quiet else kwargs)

    wrap_init(plain, make)
