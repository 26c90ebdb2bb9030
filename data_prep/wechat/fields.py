"""The raw files of the WeChat Big Data Challenge 2021: names, columns, behaviours and fields."""

ACTION_FILE = "user_action.csv"
FEED_FILE = "feed_info.csv"
FEED = "feed"  # the entity table
PUBLISHED_ROWS, PUBLISHED_DAYS = 7_317_882, 14  # of ACTION_FILE

BEHAVIOURS = ("read_comment", "comment", "like", "click_avatar", "forward", "follow", "favorite")
PAPER_TASKS = ("read_comment", "like", "click_avatar")  # of DEPHN, in its order
# `play` and `stay` (milliseconds) are outcomes of the exposure and never inputs.
ACTION_COLUMNS = (
    "userid",
    "feedid",
    "date_",
    "device",
    "read_comment",
    "comment",
    "like",
    "play",
    "stay",
    "click_avatar",
    "forward",
    "follow",
    "favorite",
)
FEED_COLUMNS = (
    "feedid",
    "authorid",
    "videoplayseconds",
    "description",
    "ocr",
    "asr",
    "bgm_song_id",
    "bgm_singer_id",
    "manual_keyword_list",
    "machine_keyword_list",
    "manual_tag_list",
    "machine_tag_list",
    "description_char",
    "ocr_char",
    "asr_char",
)

USER_ID = "userid"  # attends to the lists, all of which belong to the feed
EXPOSURE_IDS = (USER_ID, "device")
FEED_ID = "feedid"
FEED_IDS = ("feedid", "authorid", "bgm_song_id", "bgm_singer_id")
SECONDS = "videoplayseconds"
ID_LISTS = ("manual_keyword_list", "machine_keyword_list", "manual_tag_list")
SCORED_LIST = "machine_tag_list"
LISTS = (*ID_LISTS, SCORED_LIST)
