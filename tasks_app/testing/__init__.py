"""Help for tests of jobs: what a job reports is recorded, without a server, thread, cache or sleep."""

from .recorded import LogLine, Recorded, record, run

__all__ = ["LogLine", "Recorded", "record", "run"]
