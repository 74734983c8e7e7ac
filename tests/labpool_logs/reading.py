"""Reading scalars back through a gateway, as TensorBoard's page does."""

from __future__ import annotations

from tests.real_hub import Browser


def read_scalars(browser: Browser, project: str, run: str = "run-1", prefix: str = "/logs/") -> list[float]:
    """Return a run's values of `loss` as TensorBoard's page gets them."""
    path = f"{prefix}{project}/data/plugin/timeseries/timeSeries"
    form = {"requests": '[{"plugin": "scalars", "tag": "loss"}]'}
    answer = browser.fetch(path, "POST", data=form)
    assert answer.status_code == 200, answer.text
    series = answer.json()[0]["runToSeries"]
    return [point["value"] for point in series.get(run, [])]
