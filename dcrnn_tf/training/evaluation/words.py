"""The metrics of a task in words."""

from collections.abc import Mapping

from dcrnn_tf import metrics


def sentence(values: Mapping[str, float | int | None]) -> str:
    """Puts the metrics of one task, as `evaluate` gives them, in words."""
    if not values["rows"]:
        return "n/a (no rows)"
    words = [_words(metric, values) for metric in metrics.registered() if metric.name in values]
    on = values.get("measured_on") or values.get("population")
    rows = f"{values['rows']} rows" + (f" ({on})" if on else "")
    if "positives" in values:
        rows = f"{values['positives']} positives in {rows}"
    if "grouped_by" in values:
        rows += f", {values['groups']} groups by {values['grouped_by']}"
        rows += f" ({values['groups_of_one_class']} of one class, left out of the metrics by group)"
    return ", ".join([*words, rows])


def _words(metric: metrics.Metric, values: Mapping[str, float | int | None]) -> str:
    """A metric's label and value, with that of its reference."""
    if (value := values[metric.name]) is None:
        one_class = values.get("positives", 1) in (0, values["rows"])
        return f"{metric.label} n/a" + (" (one class only)" if one_class else "")
    words = f"{metric.label} {value:{metric.form}}"
    if metric.reference and (reference := values[metric.reference.name]) is not None:
        words += f" (constant {reference:{metric.form}})"
    return words
