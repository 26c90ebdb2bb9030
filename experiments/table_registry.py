"""All tables by name: those of the papers, of the study and of the leaderboard."""

from experiments.dcrnn import tables as dcrnn
from experiments.dcrnn.study import tables as study
from experiments.dephn import tables as dephn
from experiments.leaderboard import table as leaderboard
from experiments.tables.spec import Table

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        dcrnn.TABLE_1,
        dcrnn.TABLE_2,
        dcrnn.TABLE_3_OFFLINE,
        dcrnn.TABLE_4,
        dephn.TABLE_1,
        dephn.TABLE_2_ALI_CCP,
        dephn.TABLE_2_WECHAT,
        dephn.CRITEO_R,
        dephn.CRITEO_UR,
        *dephn.FIGURES,
        *study.TABLES,
        leaderboard.LEADERBOARD,
    )
}
