"""The report's page in a real browser without a network; pictures of it stay in .screenshots."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By

from pipeline.tools.demo import PROJECT, change_params
from tests.end_to_end.conftest import copy_workspace, run_module, run_real_module

pytestmark = pytest.mark.slow

PHONE, DESK = 380, 1280
PAPER = {"light": (255, 255, 255), "dark": (13, 17, 23)}


@pytest.fixture(scope="module", params=["en", "ru"])
def page(request: pytest.FixtureRequest, tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run, in a folder where nothing else is."""
    report = tracked / "reports/report.html"
    if request.param == "ru":
        clone = copy_workspace(tracked, tmp_path_factory.mktemp("russian") / "clone")
        change_params(clone / "params.yaml", {"report.language": "ru"})
        done = run_module("report", folder=clone)
        assert done.returncode == 0, done.stderr
        report = clone / "reports/report.html"
    alone = tmp_path_factory.mktemp("page") / f"report-{request.param}.html"
    shutil.copy(report, alone)
    return alone


@pytest.fixture
def offline(browser: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The browser with its network cut, and its logs emptied."""
    browser.get("about:blank")  # a page of another test may go on asking its server
    browser.execute_cdp_cmd("Network.enable", {})
    cut = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", cut)
    for log in ("browser", "performance"):
        browser.get_log(log)
    yield browser
    whole = cut | {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", whole)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def show(browser: webdriver.Chrome, page: Path, *, width: int, scheme: str) -> Path:
    """Open a page in a window as wide as asked and as high as the page; returns the path of its picture."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(page.as_uri())
    height = browser.execute_script("return document.documentElement.scrollHeight")
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen | {"height": height})
    (PROJECT / ".screenshots").mkdir(exist_ok=True)
    picture = PROJECT / ".screenshots" / f"{page.stem}-{width}-{scheme}.png"
    browser.save_screenshot(str(picture))
    return picture


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_whole_without_a_network(offline: webdriver.Chrome, page: Path, width: int, scheme: str) -> None:
    show(offline, page, width=width, scheme=scheme)

    pictures = offline.execute_script(
        "return [...document.images].map(image => [image.complete, image.naturalWidth, image.alt.length])"
    )
    assert len(pictures) > 15
    assert all(complete and natural > 0 and described > 9 for complete, natural, described in pictures)

    # A table that is too wide scrolls within itself; nothing makes the page wider than its window.
    wider = offline.execute_script(
        """
        const inTable = element => element.parentElement.closest('table');
        return [...document.querySelectorAll('body *')].filter(element => !inTable(element))
            .filter(element => element.getBoundingClientRect().right > window.innerWidth + 0.5)
            .map(element => element.outerHTML.slice(0, 80))"""
    )
    assert wider == []
    assert offline.execute_script("return document.documentElement.scrollWidth") <= width

    assert [entry for entry in offline.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = [
        message["params"]["request"]["url"]
        for entry in offline.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"] == "Network.requestWillBeSent"
    ]
    assert {address.partition(":")[0] for address in asked} <= {"file", "data"}
    assert [address for address in asked if address.startswith("file:")] == [page.as_uri()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_are_drawn_on_the_paper_of_the_page(offline: webdriver.Chrome, page: Path, scheme: str) -> None:
    whole = Image.open(show(offline, page, width=DESK, scheme=scheme)).convert("RGB")
    body = offline.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    assert str(PAPER[scheme])[1:-1] in body
    boxes = offline.execute_script(
        """
        return [...document.images].map(image => [image.alt, image.getBoundingClientRect()])
            .map(([alt, box]) => [alt, [box.left, box.top, box.right, box.bottom]])"""
    )
    for described, box in boxes:
        drawn = whole.crop(tuple(map(round, box)))
        colours = drawn.getcolors(maxcolors=2**20)
        assert colours is not None
        assert len(colours) > 10, described  # a blank picture has one
        assert drawn.getpixel((2, 2)) == PAPER[scheme], described


def test_contents_lead_to_the_sections(offline: webdriver.Chrome, page: Path) -> None:
    show(offline, page, width=DESK, scheme="light")
    links = offline.find_elements(By.CSS_SELECTOR, "nav a")
    assert len(links) == 8  # the article is about other images
    for link in links:
        target = str(link.get_attribute("href")).partition("#")[2]
        assert offline.find_element(By.ID, target).text == link.text


def test_page_and_what_it_rests_on_are_the_same_bytes_in_another_process(clone: Path) -> None:
    others = {"data.json", "study.json"}
    trained = clone / "reports/history"
    files = [path for path in (clone / "reports").rglob("*") if path.is_file() and path.name not in others]
    files = [path for path in files if path.parent != trained]
    before = {path: path.read_bytes() for path in files}
    assert {"arrays.npz", "report.html", "report.md", "answer.svg", "comparison.json"} <= {path.name for path in files}
    for path in files:
        path.unlink()
    for stage in ("evaluate", "report"):
        done = run_real_module(stage, folder=clone, PYTHONHASHSEED="7")
        assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in files} == before
