"""Ali-CCP's 23 fields, its text format and its published row counts."""

import dataclasses

SPLITS = ("train", "test")
SKELETON_FILE = "sample_skeleton_{split}.csv"
COMMON_FILE = "common_features_{split}.csv"

ENTRY_SEPARATOR = "\x01"  # between the entries of a feature list
ID_SEPARATOR = "\x02"  # between an entry's field and its id
VALUE_SEPARATOR = "\x03"  # between an entry's id and its value

USER = "user"
ITEM = "item"
COMBINATION = "combination"
CONTEXT = "context"


@dataclasses.dataclass(frozen=True)
class RawField:
    """A field of the raw files.

    Attributes:
      raw_name: Its name in the raw files, such as `109_14`.
      side: `user` fields stand in the common file, `item`, `combination` and `context` fields in
        the skeleton.
      multiple: Whether it may occur more than once in a feature list.
      attended_by: Raw name of the item's field that attends to a user's list of the same kind.
    """

    raw_name: str
    side: str
    multiple: bool = False
    attended_by: str | None = None

    @property
    def name(self) -> str:
        """The field's name in a prepared dataset: a valid Python identifier."""
        return f"field_{self.raw_name}"


FIELDS = (
    RawField("101", USER),  # user
    RawField("109_14", USER, multiple=True, attended_by="206"),  # categories of earlier behaviour
    RawField("110_14", USER, multiple=True, attended_by="207"),  # shops of earlier behaviour
    RawField("127_14", USER, multiple=True, attended_by="216"),  # brands of earlier behaviour
    RawField(
        "150_14", USER, multiple=True, attended_by="210"
    ),  # intention nodes of earlier behaviour
    RawField("121", USER),
    RawField("122", USER),
    RawField("124", USER),  # gender
    RawField("125", USER),  # age
    RawField("126", USER),
    RawField("127", USER),
    RawField("128", USER),  # occupation
    RawField("129", USER),  # geography
    RawField("205", ITEM),  # item
    RawField("206", ITEM),  # category
    RawField("207", ITEM),  # shop
    RawField("210", ITEM, multiple=True),  # intention nodes
    RawField("216", ITEM),  # brand
    RawField("508", COMBINATION),  # 109_14 with 206
    RawField("509", COMBINATION),  # 110_14 with 207
    RawField("702", COMBINATION),  # 127_14 with 216
    RawField("853", COMBINATION, multiple=True),  # 150_14 with 210
    RawField("301", CONTEXT),  # position
)


@dataclasses.dataclass(frozen=True)
class PublishedCounts:
    """What the full files hold; a conversion without a click is a fault of the log."""

    rows: int
    conversions_without_click: int
    clicks: int
    conversions: int  # those with a click
    users: int  # lines of the common file


PUBLISHED_COUNTS = {
    "train": PublishedCounts(42_300_135, 230, 1_644_256, 8_802, 730_600),
    "test": PublishedCounts(43_016_840, 226, 1_673_447, 9_195, 884_212),
}
