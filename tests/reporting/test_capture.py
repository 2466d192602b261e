"""`progress.capture()`: the bars of tqdm and rich that a job makes."""

import asyncio
import contextvars
import gc
import io
import threading

import pytest
from django.test import override_settings
from rich.console import Console

from tasks_app import TaskCancelled, progress, task_run
from tasks_app.reporting import bars, rich_bars, tqdm_bars
from tasks_app.reporting.context import bind
from tests.support.doubles import begin, take

tqdm_package = pytest.importorskip("tqdm", reason="tqdm of requirements.txt is not installed")
from rich.progress import Progress as RichProgress  # noqa: E402 - after the skip
from rich.progress import track as rich_track  # noqa: E402
from tqdm import tqdm, trange  # noqa: E402 - imported before any capture, as by most code
from tqdm.asyncio import tqdm as async_tqdm  # noqa: E402
from tqdm.auto import tqdm as auto_tqdm  # noqa: E402
from tqdm.notebook import tqdm as notebook_tqdm  # noqa: E402


@pytest.fixture(autouse=True)
def no_monitor(monkeypatch):
    """tqdm's thread, which looks after slow bars, would outlive the test."""
    monkeypatch.setattr(tqdm, "monitor_interval", 0)


@pytest.fixture
def out():
    return io.StringIO()


def see(job):
    snapshot = take(job)
    return snapshot.current, snapshot.total


def test_bar_is_the_progress_of_the_task(job, out):
    with job.progress.capture():
        seen = [see(job) for _ in tqdm(range(3), file=out)]
    assert [*seen, see(job)] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_description_is_the_status_and_unit_is_the_unit(job, out):
    with job.progress.capture(), tqdm(total=3, desc="Reading", unit="rows", file=out) as bar:
        assert (take(job).status, take(job).unit) == ("Reading", "rows")
        bar.set_description("Writing")
        assert take(job).status == "Writing"


def test_unit_that_nobody_gave_is_none(job, out):
    with job.progress.capture(), tqdm(total=3, file=out):
        assert take(job).unit is None


@pytest.mark.parametrize("quiet", [False, True])
def test_inner_bar_fills_the_share_of_a_step(job, out, quiet):
    percents = []
    with job.progress.capture(quiet=quiet):
        for _ in tqdm(range(2), file=out):
            for _ in tqdm(range(5), file=out):
                percents.append(take(job).percent)
                assert take(job).total == 2
    assert percents == pytest.approx([0, 10, 20, 30, 40, 50, 60, 70, 80, 90])


def test_description_of_an_inner_bar_is_the_status_where_the_outer_has_none(job, out):
    with job.progress.capture():
        for epoch in trange(2, file=out):
            for _ in tqdm(range(2), desc=f"Epoch {epoch}", file=out):
                assert take(job).status == f"Epoch {epoch}"


def test_bar_without_total_is_indeterminate(job, out):
    with job.progress.capture():
        for _ in tqdm(iter("abc"), file=out):
            assert take(job).percent is None
    assert see(job) == (3, None)


@pytest.mark.parametrize("quiet", [False, True])
def test_manual_bar_is_read_when_a_write_is_due(job, out, quiet):
    with job.progress.capture(quiet=quiet), tqdm(total=10, file=out) as bar:
        bar.update(3)
        assert see(job) == (3, 10)
        bar.n = 5
        bar.total = 20
        bar.refresh()
        assert see(job) == (5, 20)
        bar.reset(total=4)
        assert see(job) == (0, 4)


def test_bar_that_begins_in_the_middle_goes_on_from_there(job, out):
    with job.progress.capture():
        assert [see(job) for _ in tqdm(range(2), initial=5, total=7, file=out)] == [(5, 7), (6, 7)]


def test_bar_after_a_bar_counts_for_itself(job, out):
    with job.progress.capture():
        for total in (4, 8):
            list(tqdm(range(total), file=out))
            assert see(job) == (total, total)


def test_console_is_as_without_a_capture(job):
    texts = []
    for is_captured in (False, True):
        out = io.StringIO()
        with job.progress.capture() if is_captured else progress.capture():
            for _ in tqdm(
                range(3), desc="Reading", file=out, mininterval=0, miniters=1, bar_format="{desc}{n}/{total}"
            ):
                pass
        texts.append(out.getvalue())
    assert texts[0] == texts[1]
    assert "Reading3/3" in texts[0].replace(": ", "")


def test_quiet_capture_writes_nothing(job, out):
    with job.progress.capture(quiet=True):
        for _ in tqdm(range(3), file=out):
            with tqdm(total=2, file=out) as bar:
                bar.update()
    assert out.getvalue() == ""
    assert see(job) == (3, 3)


def test_bar_that_its_code_disables_is_not_shown(job):
    with job.progress.capture():
        list(tqdm(range(3), disable=True))
    assert see(job) == (None, None)


def test_bar_that_is_disabled_without_a_terminal_is_shown(job, out):
    with job.progress.capture():
        list(tqdm(range(3), disable=None, file=out))
    assert see(job) == (3, 3)
    assert out.getvalue() == ""


def test_cancel_stops_a_loop_at_its_next_step(job, out):
    done = []

    def work():
        for number in tqdm(range(10), file=out):
            done.append(number)
            job.request_cancel()

    with pytest.raises(TaskCancelled), job.progress.capture():
        work()
    assert done == [0]


@pytest.mark.parametrize("quiet", [False, True])
def test_cancel_stops_a_manual_bar_at_its_next_step(job, out, quiet):
    with job.progress.capture(quiet=quiet), tqdm(total=10, file=out) as bar:
        bar.update()
        job.request_cancel()
        with pytest.raises(TaskCancelled):
            bar.update()


def test_bar_goes_on_alone_after_the_capture(job, out):
    with job.progress.capture():
        bar = tqdm(total=10, file=out)
        bar.update(3)
    job.request_cancel()
    bar.update(2)
    bar.close()
    assert (see(job), bar.n) == ((3, 10), 5)


def test_bars_outside_of_a_capture_keep_their_class_and_their_methods(job, out):
    methods = {name: vars(tqdm)[name] for name in ("__iter__", "update", "close")}
    with job.progress.capture():
        pass
    with tqdm(total=3, file=out) as bar:
        bar.update()
    assert type(bar) is tqdm
    assert {name: vars(tqdm)[name] for name in methods} == methods
    assert see(job) == (None, None)


def test_capture_outside_a_task_does_nothing(out):
    with progress.capture(quiet=True), tqdm(total=3, file=out) as bar:
        assert type(bar) is tqdm
    assert out.getvalue()


def test_bar_that_is_forgotten_ends_when_it_is_collected(job, out):
    with job.progress.capture():
        bar = tqdm(total=3, file=out)
        bar.update()
        del bar
        gc.collect()
        assert see(job) == (1, 3)
        assert not job.is_sampled


def test_bars_in_two_threads_are_those_of_their_own_tasks(flusher, out):
    both, seen = threading.Barrier(2), {}

    def work(name, total):
        job = begin(flusher, name)
        bind(job)
        with progress.capture():
            for _ in tqdm(range(total), file=out):
                both.wait(60)
                seen.setdefault(name, []).append(see(job))
                both.wait(60)

    threads = [threading.Thread(target=work, args=(name, total)) for name, total in (("t1", 3), ("t2", 3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == {"t1": [(0, 3), (1, 3), (2, 3)], "t2": [(0, 3), (1, 3), (2, 3)]}


def test_thread_that_has_the_context_is_seen_and_another_is_not(job, out):
    kinds = []

    def work():
        with tqdm(total=3, file=out) as bar:
            kinds.append(type(bar) is tqdm)

    with job.progress.capture():
        context = contextvars.copy_context()
        for target in (lambda: context.run(work), work):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join(60)
    assert kinds == [False, True]


def test_task_inside_a_captured_block_is_not_captured_with_it(job, out):
    with job.progress.capture(), task_run("inner"), tqdm(total=3, file=out) as bar:
        assert type(bar) is tqdm
    assert see(job) == (None, None)


def test_own_track_wins_and_a_bar_fills_its_step(job, out):
    with job.progress.capture():
        for _ in job.progress.track(range(4), status="Importing"):
            for _ in tqdm(range(2), desc="Reading", file=out):
                pass
            assert (take(job).total, take(job).status) == (4, "Importing")
            assert take(job).percent == pytest.approx(25)
            break


def test_track_inside_a_bar_fills_its_step(job, out):
    with job.progress.capture():
        seen = [[take(job).percent for _ in job.progress.track(range(2))] for _ in tqdm(range(2), file=out)]
    assert seen == [[0, 25], [50, 75]]


def test_own_update_wins_while_a_bar_is_open(job, out):
    with job.progress.capture(), tqdm(total=10, desc="Reading", file=out) as bar:
        job.progress.update(current=1, total=3, status="Mine")
        bar.update(5)
        bar.set_description("Writing")
        assert (see(job), take(job).status) == ((1, 3), "Mine")


def test_own_total_wins_over_bars_that_begin_later(job, out):
    job.progress.update(current=1, total=3)
    with job.progress.capture():
        list(tqdm(range(10), file=out))
    assert see(job) == (1, 3)


def test_bar_fills_the_stage_that_is_entered(job, out):
    job.progress.stages({"a": 1, "b": 1})
    with job.progress.capture(), job.progress.stage("b"):
        for _ in tqdm(range(2), file=out):
            pass
    assert take(job).percent == 50


@pytest.mark.parametrize("total", [float("inf"), 0, float("nan")])
def test_total_that_a_task_can_not_have_is_none(job, out, total):
    with job.progress.capture(), tqdm(total=total, file=out, bar_format="{n}"):
        assert take(job).percent is None


def test_auto_form(job, out):
    with job.progress.capture():
        assert [see(job) for _ in auto_tqdm(range(2), file=out)] == [(0, 2), (1, 2)]


def test_notebook_form(job):
    with job.progress.capture(quiet=True):
        assert [see(job) for _ in notebook_tqdm(range(2))] == [(0, 2), (1, 2)]
        with notebook_tqdm(total=4) as bar:
            bar.update()
        assert see(job) == (1, 4)
    assert not job.is_sampled or take(job)


async def test_async_for_over_a_bar(job, out):
    with job.progress.capture():
        assert [see(job) async for _ in async_tqdm(range(2), file=out)] == [(1, 2), (2, 2)]


async def test_gather_and_as_completed_of_tqdm(job, out):
    with job.progress.capture():
        assert await async_tqdm.gather(*(asyncio.sleep(0, number) for number in range(3)), file=out) == [0, 1, 2]
        assert see(job) == (3, 3)
        for future in async_tqdm.as_completed([asyncio.sleep(0)] * 1 + [asyncio.sleep(0)], file=out):
            await future
    assert see(job) == (2, 2)


class OwnBar(tqdm):
    """As people derive them."""

    def __init__(self, title):
        super().__init__(desc=title, total=4, file=io.StringIO())

    def update(self, n=1):
        return super().update(2 * n)


@pytest.mark.parametrize("quiet", [False, True])
def test_class_that_is_derived_from_tqdm(job, quiet):
    with job.progress.capture(quiet=quiet), OwnBar("Mine") as bar:
        bar.update()
        assert (see(job), take(job).status, isinstance(bar, OwnBar)) == ((2, 4), "Mine", True)


class SealedBar(tqdm):
    def __init_subclass__(cls, **options):
        raise RuntimeError("no heirs")


def test_class_that_refuses_to_be_derived_from_works_alone_and_the_log_says_so(job, out, caplog):
    with job.progress.capture():
        assert list(SealedBar(range(3), file=out)) == [0, 1, 2]
    assert "SealedBar can't be captured: RuntimeError: no heirs" in caplog.text


@pytest.mark.parametrize(
    ("package", "module", "hook"),
    [("tqdm", tqdm_bars, tqdm_bars.hook_tqdm), ("rich", rich_bars, rich_bars.hook_rich)],
)
def test_package_that_is_not_the_one_that_is_known_is_left_alone(monkeypatch, caplog, package, module, hook):
    monkeypatch.setattr(bars, "_hooked", set())
    monkeypatch.setattr(module, "METHODS", ("gone",) * 4)
    bars._hook(package, hook)
    assert f"the bars of {package} can't be captured" in caplog.text
    assert bars._hooked == set()


def test_loop_of_a_tqdm_with_other_attributes_is_read_from_the_bar(job, out, monkeypatch):
    monkeypatch.setattr(tqdm_bars, "PACE", ("gone",))
    with job.progress.capture():
        assert list(tqdm(range(3), file=out, mininterval=0, miniters=1)) == [0, 1, 2]
    assert see(job) == (3, 3)


def test_setting_captures_bars_of_all_tasks(out):
    with override_settings(TASKS_APP={"CAPTURE_TQDM": True}), task_run("t"), tqdm(total=3, file=out) as bar:
        assert type(bar) is not tqdm
    with tqdm(total=3, file=out) as bar:
        assert type(bar) is tqdm


def console():
    return Console(file=io.StringIO())


def test_track_of_rich(job):
    with job.progress.capture():
        for number in rich_track(range(4), "[red]Reading", console=console(), auto_refresh=False):
            assert see(job) == (number, 4)
    assert (see(job), take(job).status) == ((4, 4), "Reading")


def test_tasks_of_rich_are_nested_as_they_are_added(job):
    with job.progress.capture(), RichProgress(console=console(), auto_refresh=False) as shown:
        outer = shown.add_task("Outer", total=2)
        inner = shown.add_task("Inner", total=2)
        shown.advance(inner)
        assert (see(job), take(job).percent, take(job).status) == ((0, 2), 25, "Outer")
        shown.update(outer, completed=1, description="Second")
        shown.reset(inner)
        shown.advance(inner)
        assert (take(job).percent, take(job).status) == (75, "Second")
    assert see(job) == (1, 2)


def test_description_of_rich_that_is_no_markup_is_taken_as_it_is(job):
    with job.progress.capture(), RichProgress(console=console(), auto_refresh=False, disable=False) as shown:
        shown.add_task("plain", total=2)
        shown.live.stop()
        shown.tasks[0].description = "[/wrong]"
        assert take(job).status == "[/wrong]"


def test_inner_bar_that_is_reset_fills_the_next_step(job, out):
    with job.progress.capture(), tqdm(total=2, file=out) as outer, tqdm(total=2, file=out) as inner:
        inner.update(2)
        assert take(job).percent == 50
        outer.update()
        inner.reset()
        inner.update()
        assert take(job).percent == 75


def test_cancel_stops_rich_at_its_next_step(job):
    done = []

    def work():
        for number in rich_track(range(10), console=console()):
            done.append(number)
            job.request_cancel()

    with pytest.raises(TaskCancelled), job.progress.capture():
        work()
    assert done == [0]


def test_cancel_stops_an_advance_of_rich(job):
    with job.progress.capture(), RichProgress(console=console(), auto_refresh=False) as shown:
        task = shown.add_task("Reading", total=2)
        job.request_cancel()
        with pytest.raises(TaskCancelled):
            shown.advance(task)


def test_quiet_capture_of_rich_writes_nothing(job):
    target = console()
    with job.progress.capture(quiet=True):
        list(rich_track(range(3), console=target))
    assert target.file.getvalue() == ""
    assert see(job) == (3, 3)


def test_rich_outside_of_a_capture_keeps_its_class(job):
    with job.progress.capture():
        pass
    assert type(RichProgress(console=console())) is RichProgress


@pytest.mark.parametrize(("name", "is_said"), [("tqdm", False), ("numpy", True)])
def test_package_that_is_not_installed_is_not_missed(monkeypatch, caplog, name, is_said):
    def hook():
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(bars, "_hooked", set())
    bars._hook("tqdm", hook)
    assert bool(caplog.records) == is_said
