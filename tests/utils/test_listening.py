"""Sockets that listen, and how it is noticed that one of them is closed."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks_app.utils.listening import ListeningSockets, find_listening


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_of_all_files_that_are_open_those_that_listen_are_found(listener: socket.socket, tmp_path: Path):
    first, second = socket.socketpair()
    with first, second, (tmp_path / "file").open("w") as file, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "socket"))
        local.listen()
        found = find_listening()
        others = [first.fileno(), second.fileno(), file.fileno()]
    assert {listener.fileno(), local.fileno()} - set(found) == {-1}  # which `local` is once it is closed
    assert not set(others) & set(found)


def test_socket_that_is_closed_is_lost_once_if_another_listens(listener: socket.socket):
    with socket.create_server(("127.0.0.1", 0)):
        sockets = ListeningSockets()
        assert not sockets.has_lost_one()
        listener.close()
        assert [sockets.has_lost_one() for _ in range(2)] == [True, False]


def test_socket_that_is_closed_is_lost_for_good_if_no_other_listens(listener: socket.socket, monkeypatch):
    sockets = ListeningSockets()
    listener.close()
    monkeypatch.setattr("tasks_app.utils.listening.find_listening", list)  # as in a process that has no other
    assert [sockets.has_lost_one() for _ in range(2)] == [True, True]
