"""Statistics of Ali-CCP's fields, published or of that order, which the simulator follows."""

# Published field statistics of the training file: share of exposures without the field. The
# demographic fields of a user are missing together.
MISSING = {
    **{"101": 0.0022, "109_14": 0.0095, "110_14": 0.0095, "127_14": 0.0101, "150_14": 0.0024},
    **{"demographics": 0.1298, "126": 0.5842, "129": 0.3630},
    **{"216": 0.2886, "508": 0.3035, "509": 0.7788, "702": 0.7764, "853": 0.5896},
}
DEMOGRAPHICS = ("121", "122", "124", "125", "127", "128")
SMALL_FIELDS = {"121": 97, "122": 13, "124": 2, "125": 7, "126": 3, "127": 3, "128": 2, "129": 4}
POSITIONS = 3

# Mean number of tokens when present (the same statistics), longest list seen, and by how much
# more events are drawn because several events of one id make one token.
HISTORIES = {
    "109_14": (69.7, 1001, 2.1),
    "110_14": (252.5, 1001, 1.05),
    "127_14": (155.3, 1001, 1.09),
    "150_14": (136.3, 335, 1.25),
}
MEAN_NODES, LONGEST_NODES = 6.1, 38

# Ids of the full data (users and items as published, the others a guess). A smaller
# simulation has its share of them, but no fewer than the second number.
ID_COUNTS = {
    "101": (400_000, 60),
    "205": (4_300_000, 600),
    "206": (12_000, 48),
    "207": (1_500_000, 120),
    "210": (110_000, 240),
    "216": (400_000, 120),
}
# Fields whose ids stand for the same things as another's; in the files each has ids of its own.
SAME_THING = {
    **{"109_14": "206", "110_14": "207", "127_14": "216", "150_14": "210"},
    **{"508": "206", "509": "207", "702": "216", "853": "210"},
}
