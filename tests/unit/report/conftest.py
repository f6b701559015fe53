"""Pages whose figures are left empty."""

import pytest

from fashion_mnist.report import page as page_module


def leave_figures_empty(patch: pytest.MonkeyPatch) -> None:
    """Drawing the figures of a whole page takes seconds."""
    patch.setattr(page_module, "render_svg", lambda _: b"")


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without its figures, for the sake of time."""
    leave_figures_empty(monkeypatch)
