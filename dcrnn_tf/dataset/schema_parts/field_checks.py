"""What the fields of a dataset must be to each other."""

from collections.abc import Sequence

from dcrnn_tf.dataset.field import Field
from dcrnn_tf.system.errors import DatasetError


def check_attention(fields: Sequence[Field]) -> None:
    """Refuses lists that name no field which could attend to them."""
    by_name = {field.name: field for field in fields}
    for field in fields:
        if (attending := field.attended_by) is None:
            continue
        if attending not in by_name:
            raise DatasetError(
                f"field {field.name}: attended_by names {attending!r}, which is no field"
            )
        if by_name[attending].attended_by is not None:
            raise DatasetError(
                f"field {field.name}: attended_by names {attending!r}, a list that another field "
                "attends to"
            )


def check_sharing(fields: Sequence[Field]) -> None:
    """Refuses fields that cannot share embedding rows; their owner may not be among them."""
    owners = {field.name: field for field in fields if field.shares is None}
    names = {field.name for field in fields}
    sizes: dict[str, int] = {}
    widths: dict[str, int | None] = {}
    for field in fields:
        if field.shares in names and field.shares not in owners:
            raise DatasetError(
                f"field {field.name}: shares names {field.shares!r}, which itself shares the ids "
                "of another field; name that one"
            )
        if (owner := owners.get(field.shares or "")) and not owner.has_ids:
            raise DatasetError(f"field {field.name}: shares names {owner.name!r}, which has no ids")
        size = sizes.setdefault(field.owner, field.vocabulary_size)
        if size != field.vocabulary_size:
            raise DatasetError(
                f"field {field.name}: vocabulary_size {field.vocabulary_size} is not that of the "
                f"fields that share its ids, {size}"
            )
        width = widths.setdefault(field.owner, field.width)
        if width != field.width:
            raise DatasetError(
                f"field {field.name}: width {field.width} is not that of the fields that share its "
                f"ids, {width}"
            )
