"""Tables 1 and 2 of the paper, as published, and ours in the form of its first, with the published rows marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.metrics.bootstrap import Interval

PUBLISHED_MARK = "published"

TABLE_1_COLUMNS = ("FID ↓", "FVD ↓", "Sync-C ↑", "Sync-D ↓", "CSIM ↑", "LPIPS ↓")
TABLE_1_NAMES = ("fid", "fvd", "sync_c", "sync_d", "csim", "lpips_alexnet")  # of these columns
TABLE_1 = {
    "HDTF": (("Hallo", 30.484, 288.479, 7.923, 7.531, 0.804, 0.139),
             ("Hallo2", 30.768, 288.385, 7.754, 7.649, 0.822, 0.138),
             ("MEMO", 27.713, 299.493, 8.059, 7.473, 0.840, 0.132),
             ("Sonic", 29.189, 305.867, 9.139, 6.549, 0.783, 0.149),
             ("JoyVASA", 29.581, 306.683, 8.522, 7.215, 0.781, 0.157),
             ("Playmate", 19.138, 231.048, 8.580, 6.985, 0.848, 0.099)),
    "Collected": (("Hallo", 46.114, 288.415, 6.454, 8.384, 0.767, 0.139),
                  ("Hallo2", 46.185, 295.532, 6.509, 8.358, 0.761, 0.144),
                  ("MEMO", 39.224, 260.498, 6.569, 8.193, 0.782, 0.130),
                  ("Sonic", 39.069, 254.959, 7.972, 7.124, 0.762, 0.139),
                  ("JoyVASA", 50.314, 304.621, 6.858, 8.194, 0.713, 0.163),
                  ("Playmate", 34.716, 227.871, 7.125, 8.007, 0.797, 0.128)),
}

TABLE_2_COLUMNS = ("w_a", "w_e", *TABLE_1_COLUMNS, "Emo-A ↑")
TABLE_2 = (
    (1.0, None, 17.128, 118.481, 7.937, 7.22, 0.939, 0.044, None),
    (1.5, None, 17.096, 120.678, 8.141, 7.064, 0.935, 0.046, None),
    (2.0, None, 15.968, 122.718, 8.113, 7.049, 0.936, 0.044, None),
    (2.5, None, 16.887, 125.738, 8.03, 7.109, 0.936, 0.047, None),
    (1.5, 1.5, 18.948, 138.511, 7.395, 7.644, 0.922, 0.045, 54.405),
    (1.5, 2.0, 19.978, 173.114, 7.205, 7.931, 0.905, 0.056, 57.579),
    (1.5, 2.5, 17.498, 169.053, 7.181, 7.933, 0.888, 0.054, 56.276),
    (1.5, 3.0, 17.825, 177.528, 7.16, 8.075, 0.888, 0.058, 50.055),
    (1.5, 3.5, 22.32, 207.535, 6.89, 8.313, 0.871, 0.067, 55.753),
)


@dataclass(frozen=True)
class PaperRow:
    """A line of Table 1; `values` in the order of TABLE_1_COLUMNS."""

    test_set: str
    method: str
    mark: str  # PUBLISHED_MARK, or where the numbers are from
    values: tuple[float | None, ...]


def table_1(metrics: Mapping[str, Interval], name: str, test_set: str) -> list[PaperRow]:
    """Table 1, ours first. A cell of our row is empty unless the published network gave the number; LPIPS is the
    published network everywhere. Test sets and protocols differ: the rows are no ranking."""
    ours = (metrics.get(metric) for metric in TABLE_1_NAMES)
    rows = [PaperRow(test_set, name, "measured here", tuple(None if value is None else value.value for value in ours))]
    for published_set, published in TABLE_1.items():
        rows += [PaperRow(published_set, method, PUBLISHED_MARK, tuple(values)) for method, *values in published]
    return rows
