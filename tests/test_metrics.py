import pytest

from phigate.metrics import COUNTERS, TIMINGS, PrometheusMetrics


def test_every_name_of_the_tables_is_exposed() -> None:
    metrics = PrometheusMetrics()
    for name, (labels, _) in COUNTERS.items():
        metrics.count(name, 2, **dict.fromkeys(labels, "x"))
    for name, (labels, _) in TIMINGS.items():
        metrics.observe(name, 0.01, **dict.fromkeys(labels, "x"))
    metrics.gauge("open_exchanges", 3)
    text = metrics.render().decode()
    for name in [*COUNTERS, *TIMINGS]:
        assert f"phigate_{name}" in text
    assert "phigate_open_exchanges 3.0" in text


def test_a_name_outside_the_tables_is_refused() -> None:
    metrics = PrometheusMetrics()
    with pytest.raises(KeyError):
        metrics.count("patient_names")
    with pytest.raises(KeyError):
        metrics.observe("patient_names", 1.0)
