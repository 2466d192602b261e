"""The options of the scripts: which task they follow, what they send, and what they print."""

import json

import pytest

from tests.support.scripts import (
    ACCEPTED,
    GONE,
    ONE_TASK_SCRIPTS,
    QUEUED,
    RUNNING,
    SCRIPTS,
    SUCCEEDED,
    Request,
    get_only_line,
    in_turn,
    run_script,
    serve,
    stream,
)

LOG = (
    b'event: log\ndata: {"task_id":"abc","offset":0,"lines":['
    b'{"t":"2026-03-01T09:41:02.000Z","level":"warning","text":"3 rows\\nskipped"}]}\n\n'
)
FAILED = b'id: 9\ndata: {"progress":42,"status":"Working","state":"failed"}\n\n'


@pytest.mark.parametrize("script", SCRIPTS)
def test_task_that_was_started_before_is_followed_and_none_is_started(script: str):
    with serve(in_turn(stream(SUCCEEDED))) as server:
        done = run_script(script, "--url", server.url, "--task-id", "a/b c")
        assert [(request.method, request.path) for request in server.requests] == [("GET", "/task-progress/a%2Fb%20c")]
    assert done.returncode == 0


def test_several_tasks_that_were_started_before_are_followed():
    with serve(lambda request: stream(SUCCEEDED)) as server:
        done = run_script("multiple_task.py", "--url", server.url, "--task-id", "a", "--task-id", "b")
        assert {request.path for request in server.requests} == {"/task-progress/a", "/task-progress/b"}
    assert done.stdout.splitlines()[-1] == "2 of 2 tasks succeeded."


def test_task_that_is_unknown_among_others_decides_the_exit_status():
    def answer(request: Request) -> bytes:
        return GONE if request.path.endswith("b") else stream(FAILED)

    with serve(answer) as server:
        done = run_script("multiple_task.py", "--url", server.url, "--task-id", "a", "--task-id", "b")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("options", [["--token", "secret"], []])
@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_token_is_sent_with_each_request(script: str, options: list[str]):
    with serve(in_turn(stream(b"retry: 1\n", RUNNING), stream(SUCCEEDED))) as server:
        run_script(script, "--url", server.url, *options, **({} if options else {"TASKS_APP_TOKEN": "secret"}))
        assert [request.authorization for request in server.requests] == ["Bearer secret"] * 3


@pytest.mark.parametrize("script", SCRIPTS)
def test_site_may_be_named_by_the_environment(script: str):
    with serve(lambda request: stream(SUCCEEDED)) as server:
        assert run_script(script, "--task-id", "a", TASKS_APP_URL=server.url).returncode == 0


def test_arguments_are_json_or_else_text_and_count_more_than_those_given_together():
    given = [
        "number=3",
        "text=abc",
        "flag=true",
        'quoted="true"',
        "nan=NaN",
        "empty=",
        "equation=a=b",
        'list=[1, "a"]',
    ]
    options = [option for argument in given for option in ("--arg", argument)]
    with serve(in_turn(stream(SUCCEEDED))) as server:
        run_script("client.py", "--url", server.url, "--kwargs", '{"number": 1, "other": 2}', *options)
        assert json.loads(server.requests[0].body)["kwargs"] == {
            "number": 3,
            "other": 2,
            "text": "abc",
            "flag": True,
            "quoted": "true",
            "nan": "NaN",
            "empty": "",
            "equation": "a=b",
            "list": [1, "a"],
        }


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_json_has_each_event_as_a_line_and_nothing_else(script: str):
    with serve(in_turn(stream(QUEUED, LOG, RUNNING, SUCCEEDED))) as server:
        done = run_script(script, "--url", server.url, "--json", "--logs")
        assert server.streams[0].path == "/task-progress/abc?logs=1"
    lines = list(map(json.loads, done.stdout.splitlines()))
    assert [line.get("progress") for line in lines] == [0, None, 42, 100]
    assert (lines[1]["task_id"], lines[1]["lines"][0]["text"]) == ("abc", "3 rows\nskipped")
    assert done.stderr == ""


def test_json_of_several_tasks_has_no_summary():
    with serve(in_turn(*[stream(SUCCEEDED)] * 2)) as server:
        done = run_script("multiple_task.py", "--url", server.url, "--count", "2", "--json")
    assert [json.loads(line)["progress"] for line in done.stdout.splitlines()] == [100, 100]


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_log_lines_stand_between_the_snapshots(script: str):
    with serve(in_turn(stream(QUEUED, LOG, RUNNING, SUCCEEDED))) as server:
        lines = run_script(script, "--url", server.url, "--logs").stdout.splitlines()
    assert lines == [
        "Task abc",
        "  0%  Queued",
        "      09:41:02 warning  3 rows skipped",
        " 42%  Working",
        "100%  Done",
    ]


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_log_is_asked_for_beside_the_token_in_the_address(script: str):
    accepted = ACCEPTED.replace(b'/abc"', b'/abc?token=T"')
    with serve(lambda request: accepted if request.method == "POST" else stream(SUCCEEDED)) as server:
        run_script(script, "--url", server.url, "--logs")
        assert server.requests[-1].path == "/task-progress/abc?token=T&logs=1"


@pytest.mark.parametrize("script", SCRIPTS)
def test_reason_of_a_refusal_does_not_disturb_the_terminal(script: str):
    detail = json.dumps({"detail": "gone \x1b[2J"}).encode()
    head = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n"
    with serve(lambda request: head + detail) as server:
        done = run_script(script, "--url", server.url, "--task-id", "abc")
    assert ("gone" in done.stderr, "\x1b" in done.stderr) == (True, False)


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_log_that_comes_before_the_first_snapshot_stands_below_the_names(script: str):
    with serve(in_turn(stream(LOG, QUEUED, SUCCEEDED))) as server:
        lines = run_script(script, "--url", server.url, "--logs").stdout.splitlines()
    assert lines == ["Task abc", "  0%  Queued", "      09:41:02 warning  3 rows skipped", "100%  Done"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_quiet_script_prints_only_why_it_failed(script: str):
    with serve(in_turn(*[stream(FAILED)] * 5)) as server:
        done = run_script(script, "--url", server.url, "--quiet")
    assert (done.returncode, done.stdout) == (1, "")
    assert get_only_line(done.stderr) == "The task ended as 'failed'"


WRONG = {
    "argument without a value": ["--arg", "name"],
    "argument without a name": ["--arg", "=3"],
    "arguments beside a list of them": ["--kwargs", "[1]", "--arg", "a=1"],
    "task to follow and one to start": ["--task-id", "abc", "--task", "simulate"],
    "task to follow and its arguments": ["--task-id", "abc", "--arg", "a=1"],
    "two ways to print": ["--json", "--quiet"],
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_options_that_are_wrong_end_with_2(options: list[str]):
    done = run_script("client.py", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert options[-2] in done.stderr


def test_number_of_tasks_to_start_beside_one_to_follow_is_refused():
    assert run_script("multiple_task.py", "--count", "2", "--task-id", "abc").returncode == 2
