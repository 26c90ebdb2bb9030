"""A small log of a shop and its declaration, and the rows that are made of it."""

import numpy as np
import yaml

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.rows.log_rows import LogRows
from dcrnn_tf.dataset.schema import load_schema

HEADER = "row,city,tags,price,click,buy,day"
TRAIN = [  # row, city, tags, price, click, buy, day
    "1,rome,a;b,1,1,1,mon",
    "2,rome,a,3,1,0,mon",
    "3,oslo,a;b;a,,0,,tue",
    "4,oslo,,1,0,0,tue",
    "5,rome,c;a,3,0,,tue",
    "6,bonn, b ; a ;,NaN,1,0,wed",
]
TEST = ["7,paris,b;zz,5,1,1,wed", "8,,a;a;b;b,1,0,,wed"]
BASE = {
    "name": "shop",
    "split": {"by": "file", "train": "train.csv", "test": "test.csv"},
    "fields": {
        "row": {"kind": "numeric", "scaling": "none"},
        "city": {"kind": "categorical", "min_count": 2},
        "tags": {
            "kind": "multi_categorical",
            "min_count": 1,
            "max_values": 2,
            "attended_by": "city",
        },
        "price": {"kind": "numeric", "scaling": "standard"},
    },
    "tasks": {"click": {}, "buy": {"only_where": "click"}},
}


def declare(folder, **changes):
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump({**BASE, **changes}, sort_keys=False), encoding="utf-8")
    return load_declaration(path)


def write_csv(folder, train=TRAIN, test=TEST, header=HEADER):
    for name, rows in (("train.csv", train), ("test.csv", test)):
        lines = ([header] if header else []) + rows
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows_of(folder, declaration, seed=0, max_bad_rows=0):
    """All usable rows as dicts, the split and the labels among their keys, and the table."""
    table = LogRows(declaration, folder, seed, max_bad_rows)
    rows = []
    for frame, splits, labels in table.read(lambda done: None):
        columns = dict(labels, split=splits)
        for position, row in enumerate(frame.to_dicts()):
            rows.append(row | {name: int(column[position]) for name, column in columns.items()})
    return rows, table


def dataset_rows(folder, split):
    """A prepared split as {row: {column: value}}, parsed with the bytes' plain meaning."""
    import tensorflow as tf

    schema = load_schema(folder)
    rows = {}
    for shard in schema.split(split).shards:
        for record in tf.data.TFRecordDataset(str(folder / shard.file)):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            block = {
                name: np.frombuffer(feature[name].bytes_list.value[0], dtype)
                for name, dtype in schema.exposure_columns().items()
            }
            ends = np.cumsum(block["tags/row_lengths"], dtype=int)
            lists = np.split(block["tags/values"], ends[:-1])
            for number, row in enumerate(block["row"].tolist()):
                names = ("city", "price", "click", "buy")
                rows[int(row)] = {name: block[name][number].item() for name in names}
                rows[int(row)]["tags"] = lists[number].tolist()
    return rows
