"""Reads the schemas of format version 1 as schemas of version 2."""

from collections.abc import Mapping

from dcrnn_tf.dataset.encodings import INTEGER, MISSING_ID, NUMBER, TEXT

_COUNTS = (
    *("bad_rows", "ignored_columns", "missing", "truncated_lists", "bad_lines", "raw"),
    *("rows_by_day", "rows_after_test_days", "feeds_not_in_feed_info"),
    *("rows_of_feeds_not_in_feed_info", "feeds_without"),
)
# Fields that attend to lists, of Ali-CCP and of WeChat's log: version 1 did not say them.
_ATTENDED_BY = {
    "field_109_14": "field_206",
    "field_110_14": "field_207",
    "field_127_14": "field_216",
    "field_150_14": "field_210",
    "manual_keyword_list": "userid",
    "machine_keyword_list": "userid",
    "manual_tag_list": "userid",
    "machine_tag_list": "userid",
}
_OF_ENCODINGS = ("scaling", "binning", "missing_values", "number_columns")


def migrated(content: Mapping) -> dict:
    """Turns the content of a schema of format version 1 into that of version 2."""
    filters = content["filters"]
    names = {field["name"] for field in content["fields"]}
    fields = []
    for field in content["fields"]:
        kept = {name: value for name, value in field.items() if name != "source"}
        kept |= {"raw_name": field["source"], "encoding": _encoding(field, filters)}
        attending = _ATTENDED_BY.get(field["name"])
        if field["kind"] == "multi_categorical" and attending in names:
            kept["attended_by"] = attending
        fields.append(kept)
    settings = {n: v for n, v in filters.items() if n not in (*_COUNTS, *_OF_ENCODINGS)}
    return {
        **content,
        "fields": fields,
        "settings": settings,
        "filters": {name: filters[name] for name in _COUNTS if name in filters},
        "format_version": 2,
    }


def _encoding(field: Mapping, filters: Mapping) -> dict | None:
    """The content of a field's encoding; None where the filters do not say it."""
    name, numeric = field["name"], field["kind"] == "numeric"
    lists = field["kind"] == "multi_categorical"
    if "declaration" in filters:  # of an own log, where ids are text
        missing, number_columns = filters.get("missing_values"), filters.get("number_columns")
        declared = filters["declaration"]["fields"][name]
        min_count, longest = declared.get("min_count", 10), field["max_values"]
        numbers = not lists and field["source"] in (number_columns or ())
        values, separator = NUMBER if numbers else TEXT, declared.get("separator", ";")
        if missing is None or number_columns is None:
            return None
    else:
        missing, values, separator = [str(MISSING_ID)], INTEGER, None
        min_count = filters.get("min_count", 1)
        declared, longest = {}, filters.get("max_values", field["max_values"])
    if numeric or "bins" in declared:
        kind = "scaling" if numeric else "binning"
        learned = filters.get(kind, {}).get(name)
        if learned is None:
            return None
        learned = {n: v for n, v in learned.items() if n != "kind"} | {"method": learned["kind"]}
        missing = missing if values != INTEGER else []
        if numeric:
            return {"kind": "scaling", "missing": missing} | learned
        return {"kind": "bins", "missing": missing, "min_count": min_count} | learned
    encoding = {"kind": "ids", "missing": missing, "values": values, "min_count": min_count}
    return encoding | ({"separator": separator, "max_values": longest} if lists else {})
