"""Signatures as Celery embeds them in its messages."""

from typing import Any


def make(task_id: str, name: str = "add", **options: Any) -> dict[str, Any]:
    """Return the signature of a task, as it is embedded in a message."""
    return {"task": name, "kwargs": {}, "options": {"task_id": task_id, **options}, "subtask_type": None}


def make_compound(kind: str, task_id: str | None = None, **parts: Any) -> dict[str, Any]:
    """Return the signature of a chain, group or chord."""
    options = {name: parts.pop(name) for name in ("group_id", "chord") if name in parts}
    return {
        "task": f"celery.{kind}",
        "kwargs": parts,
        "options": {"task_id": task_id, **options},
        "subtask_type": kind,
    }


def make_group(task_id: str, *tasks: Any, **options: Any) -> dict[str, Any]:
    return make_compound("group", task_id, tasks=list(tasks), **options)


def make_chain(*tasks: Any) -> dict[str, Any]:
    return make_compound("chain", tasks=list(tasks))


def make_chord(header: Any, body: Any) -> dict[str, Any]:
    return make_compound("chord", header=header, body=body)
