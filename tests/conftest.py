"""What tests of every kind share: TensorFlow, configured once; the order of files. Processes: tests/processes.py."""

import sys

import pytest

import pipeline  # noqa: F401 - sets what Keras and TensorFlow read from the environment when they are imported

# The longest first, so that no process of pytest-xdist starts a long file when the others have nothing left to do; the
# studies begin, since they do not wait for the workspace that most others share.
FIRST = (
    "tests/end_to_end/test_study.py",
    "tests/end_to_end/test_cluster.py",
    "tests/published/test_walk.py",
    "tests/end_to_end/",
    "tests/stages/test_numerics.py",
    "tests/test_",
    "tests/stages/",
    "tests/unit/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files as FIRST says; within a file, tests stay as they are."""

    def place(item: pytest.Item) -> int:
        return next((number for number, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))

    items.sort(key=place)


# Of the time of all tests that guard an edit: what takes more is for `make test-slow`.
MOST_OF_ALL = 0.1
WHOLE = 1000  # tests; with fewer, somebody runs a part


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Fail `make test` if one test takes a large share of it: it lacks the marker `slow`."""
    passed = terminalreporter.getreports("passed")
    seconds = {report.nodeid: report.duration for report in passed if report.when == "call"}
    most = MOST_OF_ALL * sum(seconds.values())
    slow = [name for name, duration in seconds.items() if duration > most]
    if config.option.markexpr == "not slow" and len(seconds) > WHOLE and slow:
        terminalreporter.write_line(f"mark these as slow, or make them faster: {', '.join(slow)}", red=True)
        assert terminalreporter._session is not None
        terminalreporter._session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def tensorflow_runtime() -> None:
    """Configure TensorFlow as the stages do, if tests import it: threads cannot be changed after it has computed."""
    if "tensorflow" in sys.modules:
        from fashion_mnist.training.determinism import configure_tensorflow

        configure_tensorflow(seed=1, workers=2)
