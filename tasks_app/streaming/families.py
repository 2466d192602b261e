"""The watched parents of an event loop: each is shown as the sum of its children, made once for all its viewers."""

import asyncio
import time
from collections.abc import Iterable
from contextvars import Context
from typing import Protocol

from ..conf import get_settings
from ..reporting import get_flusher
from ..snapshot import Part, Snapshot, State, compose
from ..store import Brood, Members, find_broods, find_children, find_ends, find_families, find_members, get_store
from .floors import get_floors
from .outlet import Outlet
from .watch import Viewer, Watch


class Host(Protocol):
    """The part of a hub that families use."""

    loop: asyncio.AbstractEventLoop

    def watch_child(self, viewer: Viewer, task_id: str) -> Watch: ...

    def unwatch(self, viewer: Viewer, watch: Watch) -> None: ...

    def wake(self) -> None: ...


class Families:
    """The families of one hub. It reads in batches what children there are, and no more of those that have ended."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._families: dict[str, Family] = {}
        self._unread: dict[str, Family] = {}
        self._ended: set[str] = set()

    def note(self, watch: Watch) -> None:
        """Take in the own record of a parent that has changed; other tasks have no family."""
        if not watch.is_parent:
            self.drop(watch)
            return
        family = self._families.get(watch.task_id)
        if family is None:
            family = self._families[watch.task_id] = Family(watch, self)
        if not family.is_read:
            self._unread[watch.task_id] = family
            self._host.wake()
        self.change(family)

    def drop(self, watch: Watch) -> None:
        """Forget the family of a task, if it has one, and watch its children no more."""
        self._unread.pop(watch.task_id, None)
        if (family := self._families.pop(watch.task_id, None)) is not None:
            for child in list(family.watches.values()):
                self._host.unwatch(family, child)

    async def read(self, *, is_sweep: bool) -> None:
        """Read which children there are and what is known of new ones, and store the ends that nobody has stored.

        Raises:
            Exception: raised by the cache.
        """
        if is_sweep and self._families:
            await self._sweep()
        fresh: list[Family] = []
        while self._unread:  # a child may be a parent itself
            fresh += (level := list(self._unread.values()))
            await self._read_level(level)
        for family in reversed(fresh):  # a child is shown in its parent
            self._show(family)
        ended, self._ended = self._ended, set()
        for task_id in ended:
            await get_store().arun_aside(get_flusher().sums.end, task_id)  # it reads all children

    def change(self, family: "Family") -> None:
        """Show a parent soon, and at most every FLUSH_INTERVAL."""
        if not family.is_planned and family.is_read:
            family.is_planned = True
            loop = self._host.loop
            loop.call_at(max(family.next_at, loop.time()), self._show, family, context=Context())

    def unwatch(self, family: "Family", watch: Watch) -> None:
        """Watch a child no more, which has ended."""
        self._host.unwatch(family, watch)

    def _show(self, family: "Family") -> None:
        family.is_planned = False
        if self._families.get(family.task_id) is not family:
            return
        family.next_at = self._host.loop.time() + get_settings().FLUSH_INTERVAL
        total = family.sum_up()
        if total.is_terminal:
            self._ended.add(family.task_id)
            self._host.wake()
        if family.watch.show_sum(total):
            family.watch.notify()

    async def _read_level(self, families: "list[Family]") -> None:
        known = {family.task_id: family.expected for family in families if not family.is_read}
        found = await get_store().arun(find_families, known) if known else {}
        children: list[tuple[Family, str]] = []
        for family in families:
            if family.task_id in found:
                children += [(family, child) for child in family.take_in(*found[family.task_id])]
        await self._read_children(children)
        for family in families:
            family.is_read = True
            self._unread.pop(family.task_id, None)

    async def _read_children(self, children: "list[tuple[Family, str]]") -> None:
        """Watch these children, except those that have ended."""
        kin = [(family.task_id, child) for family, child in children]
        ends, texts = await get_store().arun_aside(find_children, kin) if kin else ({}, {})
        for family, child in children:
            if (end := ends.get((family.task_id, child))) is not None:
                family.parts[child] = end
            if (end is None or end.state is State.LOST) and not self._is_above(child, family):
                watch = family.watches[child] = self._host.watch_child(family, child)
                if watch.view is None:
                    watch.apply(texts.get(child), monotonic=time.monotonic())
                    self.note(watch)
                if watch.view is not None:
                    family.notify(watch)

    async def _sweep(self) -> None:
        """Look for children that were added, requests to cancel, and ends of children that the cache forgot."""
        families = dict(self._families)
        broods = await get_store().arun(find_broods, families)
        places = [
            (task_id, number)
            for task_id, family in families.items()
            for number in range(family.brood.segments, broods[task_id].segments)
        ]
        added = await get_store().arun(find_members, places) if places else {}
        members: dict[str, Members] = {}
        for (task_id, _), found in added.items():
            members.setdefault(task_id, {}).update(found)
        children = []
        for task_id, family in families.items():
            new = family.take_in(broods[task_id], members.get(task_id, {}))
            children += [(family, child) for child in new]
        await self._read_children(children)
        unknown = [(family.task_id, child) for family in families.values() for child in family.find_unknown()]
        ends = await get_store().arun_aside(find_ends, unknown) if unknown else {}  # they may be thousands
        for (task_id, child), end in ends.items():
            families[task_id].end(child, end)

    def _is_above(self, task_id: str, family: "Family") -> bool:
        """Return whether a task has this family among its descendants, or is its parent: a circle is not closed."""
        seen, waiting = set(), [task_id]
        while waiting:
            if (above := waiting.pop()) == family.task_id:
                return True
            if above not in seen and (other := self._families.get(above)) is not None:
                seen.add(above)
                waiting += other.watches
        return False


class Family:
    """A watched parent and its children; the viewer of each of these."""

    #: What the hub asks of a viewer.
    outlet: Outlet | None = None

    def __init__(self, watch: Watch, families: Families) -> None:
        self.watch = watch
        self.brood = Brood(0, 0)
        self.members: Members = {}
        self.parts: dict[str, Part] = {}
        #: The watches of the children that have not ended.
        self.watches: dict[str, Watch] = {}
        #: Whether all children were read once, so that the parent can be shown.
        self.is_read = False
        self.is_planned = False
        self.next_at = 0.0
        self._families = families

    @property
    def task_id(self) -> str:
        """The id of the parent."""
        return self.watch.task_id

    @property
    def own(self) -> Snapshot:
        """The parent's own record."""
        assert self.watch.silence.snapshot is not None
        return self.watch.silence.snapshot

    @property
    def expected(self) -> int:
        """The number of children that the parent's own record tells of."""
        return (self.own.children or {}).get("total", 0)

    def take_in(self, brood: Brood, members: Members) -> list[str]:
        """Take in which children there are, and return those that are new."""
        if brood != self.brood:
            self.brood = brood
            self._families.change(self)
        new = [child for child in members if child not in self.members]
        self.members |= members
        return new

    def find_unknown(self) -> Iterable[str]:
        """Return the children of which nothing is known."""
        return [child for child in self.watches if child not in self.parts]

    def sum_up(self) -> Snapshot:
        """Return the parent with all its children."""
        floors = get_floors()
        weighed = [(weight, self.parts.get(child)) for child, weight in self.members.items()]
        total = compose(self.own, weighed, is_cancelled=self.brood.is_cancelled, floor=floors.find(self.own))
        floors.note(total)
        return total

    def end(self, child: str, part: Part) -> None:
        """Take in the end of a child, and watch it no more."""
        self.parts[child] = part
        if part.state is not State.LOST and (watch := self.watches.pop(child, None)) is not None:
            self._families.unwatch(self, watch)
        self._families.change(self)

    def notify(self, watch: Watch) -> None:
        """Take in a change of a child; a task of another parent, whose id this one was told, is none."""
        if watch.view is None or watch.view.snapshot.parent != self.task_id:
            return
        part = Part.of(watch.view.snapshot)
        if part.state.is_terminal:
            self.end(watch.task_id, part)
        else:
            self.parts[watch.task_id] = part
            self._families.change(self)

    def tick(self) -> None:
        """Do nothing: it sends nothing."""

    def expire(self) -> None:
        """Do nothing: it ends with its last viewer."""
