"""Declarations for public data, on tiny files of invented rows in the same columns."""

import itertools
import math
import pathlib

import pytest

from data_prep.own_log.declaration import load_declaration, with_min_count
from data_prep.own_log.preparation import prepare
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC
from dcrnn_tf.dataset.vocabulary import load_vocabularies

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "public_data"
PAGE = FOLDER.parents[1] / "docs" / "public_data.md"


@pytest.fixture
def prepared(tmp_path):
    """A function that prepares a set's files, all ids of which are known, and returns its rows."""

    def prepared(name, files, max_bad_rows=0):
        for file, lines in files.items():
            path = tmp_path / "raw" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n", encoding="latin-1")
        declaration = with_min_count(load_declaration(FOLDER / f"{name}.yaml"), 1)
        prepare(declaration, tmp_path / "raw", tmp_path / "out", max_bad_rows=max_bad_rows)
        return rows_of(tmp_path / "out")

    return prepared


def rows_of(folder):
    """Returns the rows of each split, with raw ids; None is a missing and "?" an unknown one."""
    dataset = PreparedDataset(folder)
    fields = dataset.schema.fields
    vocabularies = load_vocabularies(folder, [f for f in fields if f.kind != NUMERIC])
    ids = {name: [None, "?", *vocabulary.ids] for name, vocabulary in vocabularies.items()}

    def value(field, cell):
        if field.kind == NUMERIC:
            return float(cell)
        if field.kind == CATEGORICAL:
            return ids[field.name][cell]
        return [ids[field.name][item] for item in cell if item]

    splits = {}
    for split in dataset.schema.splits:
        rows = splits.setdefault(split, [])
        for features, labels in dataset.batches(split, 100, joined=True):
            columns = {name: tensor.numpy() for name, tensor in {**features, **labels}.items()}
            for number in range(len(next(iter(columns.values())))):
                row = {field.name: value(field, columns[field.name][number]) for field in fields}
                labels_of_row = {name: float(columns[name][number]) for name in labels}
                rows.append({**row, **labels_of_row})
    return splits


def only(rows, **wanted):
    """Returns the one row that has these values."""
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return row


def is_(row, **wanted):
    assert {name: row[name] for name in wanted} == wanted


def test_every_declaration_can_be_read_and_has_a_section_of_the_page():
    page = PAGE.read_text("utf-8")
    for path in FOLDER.glob("*.yaml"):
        assert load_declaration(path).name == path.stem
        assert f"(../examples/public_data/{path.name})" in page


def test_adult(prepared):
    train = [
        "39, State-gov, 77516, Bachelors, 13, Never-married, Sales, Not-in-family, White, Male, "
        f"{gain}, 0, 40, {country}, {income}"
        for gain, country, income in [(0, "?", "<=50K"), (9, "Cuba", ">50K"), (0, "Cuba", ">50K")]
        for _ in range(10)
    ]
    married = [line.replace("Never-married", "Divorced") for line in train]
    test = [
        "|1x3 Cross validator",
        train[0].replace("Bachelors", "9th") + ".",
        married[-1].replace("State-gov", "?") + ".",
    ]
    files = {"adult.data": train + married, "adult.test": test}
    splits = prepared("adult", files, max_bad_rows=1)
    assert len(splits["train"]) + len(splits["validation"]) == 60
    assert len(splits["test"]) == 2
    is_(
        only(splits["test"], education="?"),
        income=0,
        never_married=1,
        workclass="State-gov",
        native_country=None,
        capital_gain=0,
    )
    is_(
        only(splits["test"], education="Bachelors"),
        income=1,
        never_married=0,
        workclass=None,
        native_country="Cuba",
        occupation="Sales",
    )
    assert not {"relationship", "marital_status", "fnlwgt"} & set(splits["test"][0])


def test_hillstrom(prepared):
    lines = [
        "recency,history_segment,history,mens,womens,zip_code,newbie,channel,segment,visit,"
        "conversion,spend"
    ]
    for number in range(40):
        visit, bought = int(number % 2 == 0), int(number % 4 == 0)
        lines.append(
            f"{number},2) $100 - $200,{100 + number},1,0,Surburban,0,Phone,Mens E-Mail,{visit},"
            f"{bought},{bought * 29.99}"
        )
    splits = prepared("hillstrom", {"hillstrom_data.csv": lines})
    assert sum(len(rows) for rows in splits.values()) == 40
    for row in list(itertools.chain(*splits.values())):
        number = round(math.expm1(row["history"])) - 100
        is_(row, visit=number % 2 == 0, history_segment="2) $100 - $200", segment="Mens E-Mail")
        assert row["conversion"] == (number % 4 == 0 if number % 2 == 0 else -1)
        assert row["spend"] == pytest.approx(29.99 * (number % 4 == 0))


def test_tmall_repeat_buyers(prepared):
    columns = (
        "user_id,merchant_id,label,age_range,gender,total_logs,unique_item_ids,categories,"
        "browse_days,one_clicks,shopping_carts,purchase_times,favourite_times"
    )
    lines = [
        f"{user},{shop},{int(user % 3 == 0)},{user % 8}.0,1.0,{user},{shop},1,1,8,0,1,0"
        for user in range(40)
        for shop in (7, 8)
    ]
    splits = prepared("tmall_repeat_buyers", {"test_set.csv": [columns, *lines]})
    assert len(splits["test"]) == 16
    users = {
        name: {round(math.expm1(row["total_logs"])) for row in rows}
        for name, rows in splits.items()
    }
    assert sum(map(len, users.values())) == len(set().union(*users.values())) == 40
    for row in list(itertools.chain(*splits.values())):
        user = round(math.expm1(row["total_logs"]))
        is_(row, repeat=user % 3 == 0, age_range=str(user % 8), gender="1")
        assert round(math.expm1(row["unique_item_ids"])) == int(row["merchant_id"])


LOG_COLUMNS = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,"
    "is_hate,long_view,play_time_ms,duration_ms,profile_stay_time,comment_stay_time,"
    "is_profile_enter,is_rand,tab"
)
MAY_1 = 1651334400000  # the beginning of this day of 2022 in Shanghai


def kuairand_log(*rows):
    """Lines of a log of user, video, hours since 1 May, click, long view and seconds watched."""
    lines = [LOG_COLUMNS]
    for user, video, hours, click, long_view, seconds in rows:
        at = MAY_1 + hours * 3_600_000
        lines.append(
            f"{user},{video},20220501,0,{at},{click},{int(seconds == 2)},0,0,0,0,{long_view},"
            f"{seconds * 1000},9000,0,0,0,0,1"
        )
    return lines


@pytest.mark.parametrize("edition", ["pure", "1k", "27k_part1"])
def test_kuairand(prepared, edition):
    early = [(u, v, 6 * v - 48, v % 2, 0, v) for u in (1, 2) for v in range(4)]
    late = [(1, 0, -3, 1, 1, 20), (1, 2, 6, 0, 0, 0), (1, 3, 24, 0, 0, 1), (2, 1, 180, 1, 0, 4)]
    logs = [kuairand_log(*early), kuairand_log(*late)]
    names = [f"log_standard_{days}_{edition}.csv" for days in ("4_08_to_4_21", "4_22_to_5_08")]
    files = dict(zip(names, logs, strict=True))
    edition = edition.partition("_")[0]
    files[f"user_features_{edition}.csv"] = [
        "user_id,user_active_degree,is_video_author,follow_user_num_range,fans_user_num_range,"
        "friend_user_num_range,register_days_range",
        '1,full_active,0,"(10,50]","[1,10)",0,730+',
    ]
    files[f"video_features_basic_{edition}.csv"] = [
        "video_id,author_id,video_type,upload_type,music_id,tag",
        *(f'{video},{90 + video // 2},NORMAL,Kmovie,5,"{video},7"' for video in range(4)),
    ]
    splits = prepared(f"kuairand_{edition}", files)
    assert [len(rows) for rows in splits.values()] == [9, 1, 2]
    is_(
        only(splits["train"], hour="21"),
        user_id="1",
        video_id="0",
        clicked_videos=["1", "3"],
        clicked_authors=["90", "91"],
        author_id="90",
        tag=["0", "7"],
        follow_user_num_range="(10,50]",
        weekday="6",
        click=1,
        long_view=1,
        like=0,
        watch_seconds=20,
    )
    is_(splits["validation"][0], hour="6", clicked_videos=["1", "3", "0"], click=0)
    late = only(splits["test"], user_id="2")
    is_(late, clicked_videos=["1", "3"], click=1, watch_seconds=4, register_days_range=None)


FILES_OF_100K = {
    "u.user": ["1|24|M|writer|85711", "2|53|F|artist|94043"],
    "u.item": [
        f"{film}|Élan (1995)|01-Jan-{1985 + film}||http://x/?{film}|0|1|0|0|{film % 2}" + "|0" * 14
        for film in range(10, 15)
    ],
}
FILES_OF_1M = {
    "users.dat": ["1::M::25::20::55455", "2::F::56::16::70072"],
    "movies.dat": [
        f"{film}::A: the Café: {film} (1997)::{genres}"
        for film, genres in zip(
            range(10, 15), ["Drama", "Action", "Action|Drama", "Action", "War"], strict=True
        )
    ],
}


@pytest.mark.parametrize(
    ("name", "file", "separator", "validation", "others"),
    [
        ("movielens_100k", "u.data", "\t", 889315200, FILES_OF_100K),  # from 8 March 1998 on
        ("movielens_1m", "ratings.dat", "::", 975715200, FILES_OF_1M),  # from 2 December 2000 on
    ],
)
def test_movielens(prepared, name, file, separator, validation, others):
    lines = [
        separator.join(map(str, [user, film, 1 + (user + film) % 5, validation + 86400 * days]))
        for user in (1, 2)
        for film, days in [(10, -9), (11, -8), (12, -7), (13, 2), (14, 27)]
    ]
    splits = prepared(name, {file: lines, **others})
    assert [len(rows) for rows in splits.values()] == [6, 2, 2]
    early = only(splits["train"], user_id="1", item_id="12")
    is_(early, liked=1, rating=4, liked_items=[], gender="M")
    is_(only(splits["train"], user_id="2", item_id="11"), gender="F", liked=1)
    if "u.item" in others:
        is_(early, genres=["Action"], year="1997", occupation="writer")
        is_(only(splits["test"], user_id="2"), year="?", genres=["Action"])
        is_(only(splits["validation"], user_id="2"), genres=["Action", "Childrens"])
    else:
        is_(early, age="25", zip_code="55455", occupation="20", year="1997")
        is_(early, genres=["Action", "Drama"])
        is_(only(splits["validation"], user_id="2"), genres=["Action"])
    is_(
        only(splits["validation"], user_id="1"),
        item_id="?",
        liked=1,
        rating=5,
        liked_items=["12"],
    )
    is_(only(splits["test"], user_id="2"), liked=0, rating=2, liked_items=["11", "12"])


def test_criteo(prepared):
    lines = [
        "\t".join(
            [str(n % 2), str(n - 1), *([""] * 11), "1", "68fd1e64", *([""] * 24), f"c{n % 2}"]
        )
        for n in range(50)
    ]
    splits = prepared("criteo", {"train.txt": lines})
    rows = [row for part in splits.values() for row in part]
    assert len(rows) == 50
    assert all(splits.values())
    for row in rows:
        is_(row, I2=None, I13=1, C1="68fd1e64", C25=None, C26=f"c{int(row['click'])}")


def test_avazu(prepared):
    columns = (
        "id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,"
        "app_category,device_id,device_ip,device_model,device_type,device_conn_type,"
        "C14,C15,C16,C17,C18,C19,C20,C21"
    )
    lines = [
        f"{day}{hour}99,{int(hour > 9)},1410{day}{hour:02},1005,0,1fbe01fe,f3845767,28905ebd,"
        f"ecad2386,7801e8d9,07d7df22,a99f214a,ddd2926{hour % 7},44956a24,1,2,15706,320,50,1722,0,"
        "35,-1,79"
        for day in (28, 29, 30)
        for hour in (0, 7, 23)
    ]
    splits = prepared("avazu", {"train": [columns, *lines]})
    assert [len(rows) for rows in splits.values()] == [3, 3, 3]
    for rows in splits.values():
        assert sorted(row["hour_of_day"] for row in rows) == ["00", "07", "23"]
        is_(only(rows, hour_of_day="23"), click=1, device_ip="ddd29262", C20="-1", C1="1005")
        is_(only(rows, hour_of_day="07"), click=0, site_category="28905ebd")


def test_aliexpress(prepared):
    columns = ["search_id", *(f"categorical_{n}" for n in range(1, 17))]
    columns += [*(f"numerical_{n}" for n in range(1, 64)), "click", "conversion"]

    def line(row):
        ids = [row // 4, *(row % 2 + n for n in range(16))]
        numbers = [row % 3 - 1 + n / 100 for n in range(63)]
        return ",".join(map(str, [*ids, *numbers, row % 2, int(row % 4 == 1)]))

    train, test = map(line, range(40)), map(line, range(40, 44))
    header = ",".join(columns)
    splits = prepared("aliexpress", {"train.csv": [header, *train], "test.csv": [header, *test]})
    assert len(splits["train"]) + len(splits["validation"]) == 40
    clicked = only(splits["test"], conversion=1)
    is_(clicked, click=1, categorical_1="1", categorical_16="16")
    assert len([row for row in splits["test"] if row["conversion"] == -1]) == 2


def test_taobao_user_behavior(prepared):
    december_1 = 1512057600  # its beginning in Shanghai
    actions = [(-9, 5, "pv"), (-8, 5, "cart"), (-7, 6, "fav"), (-2, 7, "buy"), (12, 7, "pv")]
    actions += [(36, 5, "buy"), (60, 6, "pv"), (63, 5, "buy")]
    lines = [
        f"{user},{item},{item + 90},{what},{december_1 + 3600 * hours}"
        for hours, item, what in actions
        for user in (1, 2)
    ]
    splits = prepared("taobao_user_behavior", {"UserBehavior.csv": lines})
    assert [len(rows) for rows in splits.values()] == [10, 2, 4]
    is_(
        only(splits["train"], user_id="2", hour="12"),
        item_id="7",
        weekday="5",
        earlier_items=["5", "5", "6", "7"],
        earlier_categories=["95", "95", "96", "97"],
        cart_items=["5"],
        purchase=0,
    )
    is_(only(splits["train"], user_id="1", hour="16"), cart=1, purchase=0, favourite=0)
    is_(only(splits["validation"], user_id="1"), hour="12", purchase=1, cart=0)
    is_(
        only(splits["test"], user_id="1", hour="15"),
        purchase=1,
        earlier_items=["5", "5", "6", "7", "7", "5", "6"],
    )


def test_tenrec_qk_video(prepared):
    columns = "user_id,item_id,click,follow,like,share,video_category,watching_times,gender,age"
    categories = [0, 1, r"\N"]
    lines = [
        f"{n},{n % 5},{n % 2},0,{int(n % 3 == 0)},{int(n % 4 == 0)},{categories[n % 3]},"
        f"{n},{n % 3},{n % 8}"
        for n in range(39)
    ]
    lines.append(r"39,4,1,1,1,1,\N,9,0,7")
    splits = prepared("tenrec_qk_video", {"QK-video.csv": [columns, *lines, *lines, *lines]})
    assert sum(map(len, splits.values())) == 120
    for row in list(itertools.chain(*splits.values())):
        if row["user_id"] not in ("?", "39"):
            n = int(row["user_id"])
            category = ["0", "1", None][n % 3]
            is_(row, click=n % 2, like=n % 3 == 0, share=n % 4 == 0, video_category=category)
            is_(row, follow=0, item_id=str(n % 5), gender=str(n % 3), age=str(n % 8))


def test_tenrec_qk_article(prepared):
    columns = (
        "user_id,item_id,exposure_count,click_count,like_count,comment_count,read_percentage,"
        "item_score1,item_score2,item_score3,category_second,category_first,read,read_time,share,"
        "like,follow,favorite,gender,age"
    )
    percentages = [50, r"\N"]
    lines = [
        f"{n},{n % 5},9,9,9,9,{percentages[n % 2]},1,1,1,{n % 4},{n % 2},1,3,{n % 2},0,1,1,1,3"
        for n in range(39)
    ]
    lines.append(r"39,4,9,9,9,9,70,1,1,1,3,1,1,3,0,1,0,0,\N,3")
    splits = prepared("tenrec_qk_article", {"QK-article.csv": [columns, *lines, *lines, *lines]})
    assert sum(map(len, splits.values())) == 120
    for row in list(itertools.chain(*splits.values())):
        if row["user_id"] not in ("?", "39"):
            n = int(row["user_id"])
            is_(row, share=n % 2, like=0, favorite=1, follow=1, category_first=str(n % 2))
            assert (
                row["read_percentage"] == 50 if n % 2 == 0 else math.isnan(row["read_percentage"])
            )


def test_ijcai15(prepared):
    columns = "user_id,age_range,gender,merchant_id,label,activity_log"
    lines = [
        f"{user},{user % 9},{user % 3},{shop},{[0, 1, -1][(user + shop) % 3]},1:2:3:0829:{shop}#7"
        for user in range(40)
        for shop in (20, 21)
    ]
    splits = prepared("ijcai15", {"train_format2.csv": [columns, *lines]})
    rows = list(itertools.chain(*splits.values()))
    assert len(rows) == 80
    assert len(splits["test"]) == 8
    for row in rows:
        assert row["repeat"] in (0, 1, -1)
    assert len([row for row in rows if row["repeat"] == -1]) == 27
