"""MLflow's pages in a real browser, on the store of a run; pictures stay in .screenshots."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from mlflow.tracking import MlflowClient
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By

from pipeline.tools.demo import PROJECT
from tests.end_to_end.conftest import (
    STUDY_EXPERIMENT,
    add_study,
    copy_workspace,
    environment_of,
    free_port,
    run_module,
    running,
    runs_of,
)

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 90


@pytest.fixture(scope="module")
def workspace(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a study, both in the store."""
    folder = copy_workspace(tracked, tmp_path_factory.mktemp("pages") / "clone")
    add_study(folder)
    done = run_module("track", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(workspace: Path) -> Iterator[str]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", "sqlite:///tracking/mlflow.db"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with running(command, folder=workspace, ready=f"{address}/health", environment=environment_of()):
        yield address


def recipe(*arguments: str) -> list[str]:
    """Return the words with which `make ui` starts MLflow."""
    said = subprocess.run(["make", "-n", "ui", *arguments], cwd=PROJECT, capture_output=True, text=True, check=True)
    (line,) = [line for line in said.stdout.splitlines() if " mlflow ui " in line]
    return ["env", *shlex.split(line)]


def statuses(address: str, host: str) -> list[int]:
    """Ask for the page and for its runs, as a browser does that knows the server by another name."""
    asked = {"Host": host, "Origin": f"https://{host}"}
    found = requests.post(
        f"{address}/ajax-api/2.0/mlflow/runs/search", json={"experiment_ids": ["1"]}, headers=asked, timeout=60
    )
    return [requests.get(address, headers={"Host": host}, timeout=60).status_code, found.status_code]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"127.0.0.1:PORT": [200, 200], "runs.example": [403, 403], "runs.example:8443": [403, 403]}),
        (
            ["FORWARDED=runs.example"],
            {
                "127.0.0.1:PORT": [200, 200],
                "runs.example": [200, 200],
                "runs.example:8443": [200, 200],
                "other.example": [403, 403],
            },
        ),
    ],
)
def test_pages_answer_to_a_forwarded_name_once_make_ui_is_told_of_it(
    arguments: list[str], expected: dict[str, list[int]], workspace: Path
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = recipe(f"PORT={port}", *arguments)
    with running(command, folder=workspace, ready=f"{address}/health", environment=environment_of()):
        hosts = {host: host.replace("PORT", str(port)) for host in expected}
        assert {name: statuses(address, host) for name, host in hosts.items()} == expected


def wait_for(browser: webdriver.Chrome, condition: Callable[[], object], name: str) -> None:
    """Wait until a page shows something, and keep a picture of it, or of what is there instead."""
    limit = time.monotonic() + PATIENCE_SECONDS
    try:
        while True:
            try:
                if condition():
                    return
            except WebDriverException:  # the page was redrawn while it was read
                pass
            assert time.monotonic() < limit, browser.find_element(By.TAG_NAME, "body").text
            time.sleep(0.5)
    finally:
        (PROJECT / ".screenshots").mkdir(exist_ok=True)
        browser.save_screenshot(str(PROJECT / ".screenshots" / f"{name}.png"))


def shows(browser: webdriver.Chrome, *texts: str) -> Callable[[], bool]:
    return lambda: all(text in browser.find_element(By.TAG_NAME, "body").text for text in texts)


def bars(browser: webdriver.Chrome) -> set[float]:
    """Return the lengths of all bars that are drawn."""
    script = """
        return [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot.data || [])
            .filter(trace => trace.type === 'bar').flatMap(trace => Array.from(trace.x))"""
    return set(browser.execute_script(script))


def curves(browser: webdriver.Chrome, metric: str) -> list[list[float]]:
    """Return the steps of each curve of a metric that is drawn."""
    script = """
        return [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot.data || [])
            .filter(trace => trace.x && trace.y && JSON.stringify([trace.name, trace.metricKey]).includes(arguments[0]))
            .map(trace => Array.from(trace.x))"""
    found: list[list[float]] = browser.execute_script(script, metric)
    return found


def test_runs_their_accuracies_a_curve_the_artifacts_and_the_champion_are_seen(
    workspace: Path, pages: str, browser: webdriver.Chrome
) -> None:
    client = MlflowClient(f"sqlite:///{workspace / 'tracking/mlflow.db'}")
    cnn, dense, _ = runs_of(client)
    runs = f"{pages}/#/experiments/{cnn.info.experiment_id}/runs"
    accuracies = [
        json.loads((workspace / f"reports/metrics/{name}.json").read_text())["accuracy"] for name in ("cnn", "dense")
    ]

    # Sorted by a metric, runs stand beside each other, where MLflow otherwise folds nested ones into their parent.
    browser.get(f"{runs}?orderByKey=metrics.%60accuracy%60&orderByAsc=false&compareRunsMode=CHART")
    wait_for(browser, lambda: shows(browser, "cnn", "dense")() and set(accuracies) <= bars(browser), "runs")

    browser.get(f"{runs}/{dense.info.run_id}")
    wait_for(browser, shows(browser, "epoch_loss", str(accuracies[1])), "dense")

    browser.get(f"{runs}/{cnn.info.run_id}")
    wait_for(browser, shows(browser, "epoch_loss", str(accuracies[0])), "cnn")
    browser.get(f"{runs}/{cnn.info.run_id}/model-metrics")
    wait_for(browser, lambda: [1, 2] in curves(browser, "epoch_loss"), "curve")
    assert all(curve == [1, 2] for curve in curves(browser, "epoch_loss"))
    browser.get(f"{runs}/{cnn.info.run_id}/artifacts")
    wait_for(browser, shows(browser, "predictions", "confusion.csv", "history.csv"), "artifacts")

    browser.get(f"{pages}/#/models/fashion-mnist")
    wait_for(browser, shows(browser, "Version 1", "Version 2", "champion", "challenger", "promoted: "), "model")


def run_names(browser: webdriver.Chrome) -> list[str]:
    """Return the names of the runs in the table, from top to bottom."""
    script = """
        return [...document.querySelectorAll('a[href*="/runs/"]')]
            .map(link => [link.getBoundingClientRect().top, link.innerText.trim()])
            .filter(([top, name]) => name).sort(([a], [b]) => a - b).map(([top, name]) => name)"""
    found: list[str] = browser.execute_script(script)
    return found


def test_study_is_one_line_that_opens_into_its_trainings(
    workspace: Path, pages: str, browser: webdriver.Chrome
) -> None:
    client = MlflowClient(f"sqlite:///{workspace / 'tracking/mlflow.db'}")
    *trials, parent = runs_of(client, STUDY_EXPERIMENT)
    name = parent.info.run_name
    browser.get(f"{pages}/#/experiments/{parent.info.experiment_id}/runs")
    wait_for(browser, lambda: run_names(browser) == [name], "study")

    browser.find_element(By.CSS_SELECTOR, "[role='gridcell'] button").click()
    first = [name, "cnn replicate, seed 1", "cnn replicate, seed 2", "dense replicate, seed 1"]
    wait_for(browser, lambda: run_names(browser)[:4] == first, "study-trainings")
    assert len(trials) == 16

    browser.get(f"{pages}/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}")
    mean = parent.data.metrics["replicate_cnn_accuracy_mean"]
    wait_for(browser, shows(browser, name, "replicate_cnn_accuracy_mean", f"{100 * mean:.2f} %"), "study-parent")
