"""Every listed file leaves a trace.

Each kind of odd file is read, or refused by name and reason, and the ledger's counts are those of
the tables.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import random
import shutil
import unicodedata
import zlib
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import yaml
from avro_file import avro
from pyarrow import parquet

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.contract.read import examine_document
from datamaster_kit.ingest.ingest import build_silver, ingest_files
from datamaster_kit.lakehouse.ledger import FileEntry, read_entries
from datamaster_kit.lakehouse.names import names
from datamaster_kit.lakehouse.runs import Run
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.local import LocalTarget
from datamaster_kit.targets.readers import local_files
from datamaster_kit.unity.tables import apply_plan, plan_project_tables

pytestmark = pytest.mark.spark
FIELDS = {
    "id": {"type": "string", "primaryKey": True, "required": True},
    "amount": {"type": "decimal", "precision": 18, "scale": 2},
    "n": {"type": "integer"},
    "d": {"type": "date"},
    "t": {"type": "string"},
}
HEADER = b"id,amount,n,d,t\n"


class Lake:
    """A lakehouse with models of one contract, all of the same fields, and what came of its
    files.
    """

    def __init__(
        self,
        spark: Any,
        folder: Path,
        source: dict[str, Any] | None = None,
        models: tuple[str, ...] = ("kind",),
        fields: dict[str, Any] | None = None,
    ) -> None:
        for schema in ("bronze", "silver", "gold"):
            spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")
        said = {
            "dataContractSpecification": "1.1.0",
            "id": "urn:kinds",
            "info": {"title": "Kinds", "version": "1.0.0"},
            "models": {
                model: {"type": "table", "fields": {**FIELDS, **(fields or {})}} for model in models
            },
            "workflow": {
                "models": list(models),
                "source": {"type": "adls", "format": "csv", **(source or {})},
            },
        }
        contract, faults = examine_document(
            parse_document(yaml.safe_dump(said, sort_keys=False), "kinds.yaml"), folder
        )
        assert contract is not None and not [
            fault for fault in faults if fault.severity == "error"
        ], faults
        self.spark, self.contract, self.project = (
            spark,
            contract,
            Project(folder, names("shop", "shop")),
        )
        self.target = LocalTarget(self.project, spark)
        apply_plan(plan_project_tables(self.target, self.project, [contract]), self.target)

    def land(self, name: str, content: bytes, model: str = "kind") -> Path:
        path = Path(self.target.landing_folder(model), name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def run(self, run_id: str = "") -> tuple[Run, ...]:
        return ingest_files(self.target, self.project, self.contract, run_id)

    def table(self, name: str) -> list[Any]:
        return self.spark.table(
            self.target.sql_name(self.project.names.table(*name.split("/")))
        ).collect()

    def good(self, *columns: str, model: str = "kind") -> list[tuple]:
        rows = [row for row in self.table(f"bronze/{model}") if not row["carlton_is_quarantined"]]
        return sorted(tuple(row[column] for column in columns or ("id",)) for row in rows)

    def quarantined(self, model: str = "kind") -> list[dict[str, Any]]:
        return [
            json.loads(row["carlton_rescued"] or "{}")
            for row in self.table(f"bronze/{model}_quarantine")
        ]

    def ledger(self, model: str = "kind") -> dict[str, FileEntry]:
        return {
            entry.name: entry
            for entry in read_entries(self.target, "cshop")
            if entry.model == model
        }


def line(number: int, text: str = "x") -> bytes:
    return f"{number},1.50,{number},2026-01-31,{text}\n".encode()


def snappy_blocks(text: bytes) -> bytes:
    packed = pyarrow.compress(text, "snappy", asbytes=True)
    return len(text).to_bytes(4, "big") + len(packed).to_bytes(4, "big") + packed


def lz4_blocks(text: bytes) -> bytes:
    packed = pyarrow.compress(text, "lz4_raw", asbytes=True)
    return len(text).to_bytes(4, "big") + len(packed).to_bytes(4, "big") + packed


def zipped(text: bytes) -> bytes:
    import io
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a.csv", text)
    return held.getvalue()


def test_csv_files_of_every_odd_kind_are_read_or_refused_by_name_and_the_ledger_has_them_all(
    spark: Any, tmp_path: Path
) -> None:
    """One delivery of files, each odd in its own way; each has records of its own numbers."""
    lake, good = Lake(spark, tmp_path), set[int]()

    def land(name: str, content: bytes, *numbers: int) -> None:
        lake.land(name, content)
        good.update(numbers)

    text = [HEADER + line(number) + line(number + 1) for number in range(0, 100, 2)]
    land("plain.csv", text[0], 0, 1)
    land("many_delimiters.csv", HEADER + line(2) + b"9," + b"," * 30_000 + b"\n" + line(3), 2, 3)
    land("gzip_plain_name.csv", gzip.compress(text[2]), 4, 5)
    land("a.csv.GZ", gzip.compress(text[3]), 6, 7)
    land("a.csv.bz2", bz2.compress(text[4]), 8, 9)
    land("a.csv.deflate", zlib.compress(text[5]), 10, 11)
    land("a.csv.zst", pyarrow.compress(text[6], "zstd", asbytes=True), 12, 13)
    land("a.csv.lz4", lz4_blocks(text[7]), 14, 15)
    land("a.csv.snappy", snappy_blocks(text[8]), 16, 17)
    land("a.csv.xz", lzma.compress(text[9]), 18, 19)
    for place, suffix in enumerate(("gz", "bz2", "zst")):  # plain, whatever the name says
        land(f"plain.csv.{suffix}", HEADER + line(500 + place), 500 + place)
    land("very_wide_header.csv", HEADER.strip() + b"," * 25_000 + b"\n" + line(510))
    land("a.zip", zipped(text[10]))
    land("export_2026-01-01T10:00:00.csv", text[11], 22, 23)
    land("day=10:00/back\\slash.csv", text[12], 24, 25)
    land("a[1]{b}*?%20 é#+.csv", text[13], 26, 27)
    land("line\nbreak.csv", text[14], 28, 29)
    for place, name in enumerate(
        (
            "family \U0001f468\u200d\U0001f469.csv",
            "soft\u00adhyphen.csv",
            "own \ue000 \u0378 \U0010fffd.csv",
            "right\u202e to left\ufeff.csv",
            "blank\u00a0\u2028\u3000.csv",
            "folder\u200b/a.csv",
            "folder\u200b/a.csv.gz",
        )
    ):
        land(
            name,
            gzip.compress(HEADER + line(520 + place))
            if name.endswith(".gz")
            else HEADER + line(520 + place),
            520 + place,
        )
    land(
        "open_quote.csv",
        HEADER + line(30) + b'31,1,1,2026-01-31,"never\n' + line(32) + line(33),
        30,
    )
    land("latin1.csv", HEADER + line(34) + "35,1,1,2026-01-31,caf\u00e9\n".encode("latin-1"), 34)
    land(
        "mixed_ends.csv",
        HEADER[:-1]
        + b'\r\n36,1,1,2026-01-31,"a\r\nb"\r\n37,1,1,2026-01-31,y\n38,1,1,2026-01-31,"p\nq"\r\n',
        36,
        37,
        38,
    )
    land("headerless.csv", line(39))
    land("other_header.csv", b"foo,bar\n1,2\n")
    land("empty.csv", b"")
    land("header_only.csv", HEADER)
    land(
        "cut_off.csv.gz",
        gzip.compress(HEADER + b"".join(line(number) for number in range(1000, 9000)))[:-3000],
    )
    land("old.csv", text[20], 40, 41)
    os.utime(Path(lake.target.landing_folder("kind"), "old.csv"), (1_000_000_000, 1_000_000_000))
    (run,) = lake.run()
    ledger, rows = lake.ledger(), lake.table("bronze/kind")
    folder = Path(lake.target.landing_folder("kind"))
    assert set(ledger) == {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    }
    assert {int(number) for (number,) in lake.good()} == good | {
        int(number) for (number,) in lake.good() if int(number) >= 1000
    }
    assert run.result == "partly" and {
        name for name, entry in ledger.items() if entry.result == "refused"
    } == {"a.zip", "headerless.csv", "other_header.csv", "cut_off.csv.gz", "very_wide_header.csv"}
    assert (
        "zip" in ledger["a.zip"].reason
        and "header: false" in ledger["headerless.csv"].reason
        and "header: false" not in ledger["other_header.csv"].reason
    )
    assert "25005 columns" in ledger["very_wide_header.csv"].reason
    assert (
        ledger["empty.csv"].reason == "the file is empty"
        and ledger["header_only.csv"].reason == "it has no record"
    )
    assert (
        "never closed" in ledger["open_quote.csv"].reason
        and ledger["open_quote.csv"].quarantined >= 3
    )
    told = sum(
        '"_unreadable"' in (row["carlton_rescued"] or "")
        and "_corrupt_record" not in row["carlton_rescued"]
        for row in rows
    )
    assert sum(entry.records for entry in ledger.values()) + told == len(
        rows
    ) == run.rows_written and run.files == len(ledger)
    assert all(entry.records == entry.good + entry.quarantined for entry in ledger.values())
    assert {(row["id"], row["t"]) for row in rows if row["id"] in ("36", "37", "38")} == {
        ("36", "a\r\nb"),
        ("37", "y"),
        ("38", "p\nq"),
    }
    (named,) = {row["carlton_metadata"]["file_name"] for row in rows if row["id"] == "22"}
    assert named == "export_2026-01-01T10:00:00.csv"
    rescued = [item.get("_corrupt_record", "") for item in lake.quarantined()]
    assert "35,1,1,2026-01-31,caf\\xe9" in rescued and any(
        record.startswith("9,,,") and len(record) == 30_002 for record in rescued
    )
    assert not any("\ufffd" in (row["t"] or "") + (row["carlton_rescued"] or "") for row in rows)
    assert any(note.startswith("a.zip: ") for note in run.notes)
    (again,) = lake.run()
    assert again.result == "nothing new" and lake.ledger() == ledger
    lake.land("a.zip", gzip.compress(text[10]))
    lake.land("a[1]{b}*?%20 é#+.csv", text[13] + line(27))
    (mended,) = lake.run()
    assert {"20", "21"} <= {number for (number,) in lake.good()} and lake.ledger()[
        "a.zip"
    ].result == "read"
    assert [note for note in mended.notes if "has changed" in note] == [
        "a[1]{b}*?%20 é#+.csv has changed since it was read, and what changed was not read: "
        "put it under another name"
    ]
    (again,) = lake.run()
    assert not [note for note in again.notes if "a.zip" in note] and len(lake.good()) == len(
        set(lake.good())
    )
    lake.land("a.zip", gzip.compress(text[10] + line(540)))
    (again,) = lake.run()
    assert [
        note for note in again.notes if note.startswith("a.zip has changed since it was read")
    ], "it was mended, read, and is written to once more"


def raw_deflate(text: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(text) + engine.flush()


PACKINGS = {
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".deflate": zlib.compress,
    ".raw.deflate": raw_deflate,
    ".gz": gzip.compress,
    ".snappy": snappy_blocks,
    ".block.lz4": lz4_blocks,
    ".zst": lambda text: pyarrow.compress(text, "zstd", asbytes=True),
    ".lz4": lambda text: pyarrow.compress(text, "lz4", asbytes=True),
}


def test_what_stands_behind_the_first_part_of_a_packed_file_is_read_or_the_file_is_refused(
    spark: Any, tmp_path: Path
) -> None:
    lake = Lake(spark, tmp_path)
    frame, expected = b"\x5f\x2a\x4d\x18\x04\x00\x00\x00abcd", dict[str, str]()
    for name, pack in PACKINGS.items():
        first, second = pack(HEADER + line(1)), pack(line(2))
        whole = {
            "two": first + second,
            **(
                {}
                if name in (".zst", ".lz4", ".snappy", ".block.lz4")
                else {"padded": first + bytes(8) + second}
            ),
            **(
                {"framed": frame + first + frame + second + frame}
                if name in (".zst", ".lz4")
                else {}
            ),
        }
        wrong = 4 if "block" in name or name == ".snappy" else 0
        broken = {
            "behind": first + b"garbage!",
            "damaged": first
            + second[:wrong]
            + bytes(byte ^ 0xFF for byte in second[wrong : wrong + 4])
            + second[wrong + 4 :],
            "cut": first + second[: len(second) // 2],
        }
        for said, contents in (("read 2", whole), ("refused 1", broken)):
            for kind, content in contents.items():
                lake.land(f"{kind}.csv{name}", content)
                expected[f"{kind}.csv{name}"] = said
    (run,) = lake.run()
    entries = lake.ledger()
    assert {
        name: f"{entry.result} {entry.good}" for name, entry in entries.items()
    } == expected and run.result == "partly"
    assert all(
        ("is cut off or damaged" in entry.reason) == (entry.result == "refused")
        for entry in entries.values()
    )


def test_the_last_line_of_a_cut_off_file_is_no_record_in_another_encoding_nor_is_a_hidden_file(
    spark: Any, tmp_path: Path
) -> None:
    encoding = "latin-1"
    lake = Lake(spark, tmp_path, {"encoding": encoding})
    for end in ("\n", "\r"):
        text = (HEADER + line(1) + line(2, "abcdefghijklmnop")).decode().replace("\n", end)
        lake.land(f"{len(end)}{ord(end)}.csv.gz", gzip.compress(text.encode(encoding))[:-16])
    for name in ("_metadata.csv", "_common_metadata", "_metadata/a.csv", "_other.csv"):
        lake.land(name, (HEADER + line(3)).decode().encode(encoding))
    lake.run()
    assert {name: (entry.result, entry.good) for name, entry in lake.ledger().items()} == {
        "110.csv.gz": ("refused", 1),
        "113.csv.gz": ("refused", 1),
    }
    assert lake.good("id", "t") == [("1", "x"), ("1", "x")]


def damaged(source: Path, target: Path) -> None:
    """Write a parquet file whose footer is whole and whose page is not."""
    content = bytearray(source.read_bytes())
    content[8:40] = b"\xff" * 32
    target.write_bytes(content)


def test_a_broken_parquet_file_is_refused_and_keeps_no_other_file_or_model_from_silver(
    spark: Any, tmp_path: Path
) -> None:
    lake = Lake(spark, tmp_path, {"format": "parquet"}, ("m_a", "m_b", "m_c"))
    for number, model in enumerate(("m_a", "m_b", "m_c")):
        path = lake.land("a.parquet", b"", model)
        parquet.write_table(
            pyarrow.table({"id": [str(number)], "n": pyarrow.array([number], pyarrow.int32())}),
            path,
            compression="snappy",
        )
    damaged(
        Path(lake.target.landing_folder("m_b"), "a.parquet"), lake.land("f.parquet", b"", "m_b")
    )
    lake.land("c.parquet", b"not parquet", "m_c")
    lake.land("z.parquet", b"", "m_c")
    lake.land(
        "colon:10.parquet", Path(lake.target.landing_folder("m_a"), "a.parquet").read_bytes(), "m_a"
    )
    runs = {run.model: run for run in lake.run()}
    assert {model: run.result for model, run in runs.items()} == {
        "m_a": "succeeded",
        "m_b": "partly",
        "m_c": "partly",
    }
    assert {name: entry.result for name, entry in lake.ledger("m_b").items()} == {
        "a.parquet": "read",
        "f.parquet": "refused",
    }
    assert {name: entry.result for name, entry in lake.ledger("m_c").items()} == {
        "a.parquet": "read",
        "c.parquet": "refused",
        "z.parquet": "refused",
    }
    reasons = [
        entry.reason
        for entry in (*lake.ledger("m_b").values(), *lake.ledger("m_c").values())
        if entry.reason
    ]
    assert len(reasons) == 3 and not any("calling o" in reason for reason in reasons), reasons
    build_silver(lake.target, lake.project, lake.contract)
    assert [len(lake.table(f"silver/{model}")) for model in ("m_a", "m_b", "m_c")] == [1, 1, 1]
    assert [len(lake.quarantined(model)) for model in ("m_a", "m_b", "m_c")] == [0, 1, 2]
    parquet.write_table(
        pyarrow.table({"id": ["7"], "n": pyarrow.array([7], pyarrow.int32())}),
        Path(lake.target.landing_folder("m_b"), "f.parquet"),
    )
    lake.run()
    assert (
        lake.good(model="m_b") == [("1",), ("7",)]
        and lake.ledger("m_b")["f.parquet"].result == "read"
    )


def test_an_error_that_a_value_raises_while_rows_are_written_refuses_its_file_and_stops_no_other(
    spark: Any, tmp_path: Path
) -> None:
    """A key that stands twice in a map, which Spark makes none of.

    Nothing in the error says that it comes from a file.
    """
    lake = Lake(spark, tmp_path, {"format": "parquet"})
    for name, keys in (("a", [1, 2]), ("b", [1, 1])):
        pairs = pyarrow.array(
            [[(key, "x") for key in keys]], pyarrow.map_(pyarrow.int32(), pyarrow.string())
        )
        parquet.write_table(
            pyarrow.table({"id": [name], "more": pairs}), lake.land(f"{name}.parquet", b"")
        )
    (run,) = lake.run()
    assert (
        run.result == "partly"
        and lake.good() == [("a",)]
        and {name: entry.result for name, entry in lake.ledger().items()}
        == {"a.parquet": "read", "b.parquet": "refused"}
    )
    assert "Duplicate map key" in lake.ledger()["b.parquet"].reason


def test_bytes_that_are_no_text_refuse_their_file_and_name_the_column_at_any_depth(
    spark: Any, tmp_path: Path
) -> None:
    """Texts of parquet and avro are UTF-8.

    Others are said by no honest writer, and readers of a table would see another text.
    """
    lake = Lake(
        spark,
        tmp_path,
        {"format": "parquet"},
        fields={"parts": {"type": "array", "items": {"type": "string"}}},
    )
    places = b"".join(place.to_bytes(4, "little") for place in (0, 2, 4))
    # the second value of the latter ends within a letter
    texts = {
        "good": "\u00e9\u00df".encode(),
        "half": b"\xc3\xa9\xc3 ",
    }
    for name, content in texts.items():
        column = pyarrow.Array.from_buffers(
            pyarrow.string(), 2, [None, pyarrow.py_buffer(places), pyarrow.py_buffer(content)]
        )
        lists = pyarrow.ListArray.from_arrays([0, 1, 2], column)
        ids = pyarrow.array([f"{name} 1", f"{name} 2"])
        parquet.write_table(
            pyarrow.table({"id": ids, "t": column}), lake.land(f"{name}.parquet", b"")
        )
        parquet.write_table(
            pyarrow.table({"id": ids, "parts": lists}), lake.land(f"{name}_within.parquet", b"")
        )
    (run,) = lake.run()
    assert run.result == "partly"
    assert lake.good() == [("good 1",), ("good 1",), ("good 2",), ("good 2",)]
    reasons = {
        name: entry.reason for name, entry in lake.ledger().items() if entry.result == "refused"
    }
    assert sorted(reasons) == ["half.parquet", "half_within.parquet"]
    assert "the text of the column t has bytes that are no UTF-8" in reasons["half.parquet"]
    assert (
        "the text of the column parts has bytes that are no UTF-8" in reasons["half_within.parquet"]
    )


def test_a_file_that_cannot_be_read_for_whatever_reason_is_refused_by_it_and_stops_no_other(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = [[1767225600123456000], [1767225600123456789]]
    tables = {
        "ok": pyarrow.table({"id": ["1"]}),
        "nameless": pyarrow.table({"id": ["2"], "": ["x"], "a\nb": ["y"], "${z}": ["z"]}),
        "odd": pyarrow.table({"id": ["3"]}),
        "packed": pyarrow.table({"id": ["4"]}),
        "no_columns": pyarrow.table({"id": ["5"]}).select([]),
        "micros": pyarrow.table(
            {"id": ["6"], "t": pyarrow.array(moments[0], pyarrow.timestamp("ns"))}
        ),
        "nanos": pyarrow.table(
            {"id": ["7"], "t": pyarrow.array(moments[1], pyarrow.timestamp("ns"))}
        ),
        "within": pyarrow.table(
            {
                "id": ["8"],
                "s": pyarrow.array(
                    [[{"t": moments[1][0]}]],
                    pyarrow.list_(pyarrow.struct([("t", pyarrow.timestamp("ns"))])),
                ),
            }
        ),
    }
    lake = Lake(spark, tmp_path, {"format": "parquet"})
    for name, table in tables.items():
        parquet.write_table(
            table,
            lake.land(f"{name}.parquet", b""),
            compression="brotli" if name == "packed" else "snappy",
            use_deprecated_int96_timestamps=True,
        )
    parquet.write_table(
        pyarrow.table({"id": ["row 11"]}),
        lake.land("summed.parquet", b""),
        compression="none",
        use_dictionary=False,
        write_page_checksum=True,
    )
    lake.land(
        "summed.parquet",
        Path(lake.target.landing_folder("kind"), "summed.parquet")
        .read_bytes()
        .replace(b"row 11", b"row 12"),
    )
    spark.sql("SELECT '9' AS id, INTERVAL '1' DAY AS d").write.parquet(str(tmp_path / "written"))
    shutil.copy(next((tmp_path / "written").glob("*.parquet")), lake.land("interval.parquet", b""))
    spark.sql("SELECT '10' AS id, TIMESTAMP'9999-12-31' AS t").write.parquet(str(tmp_path / "far"))
    # nanoseconds go round before that year
    lake.land(
        "far.parquet",
        next((tmp_path / "far").glob("*.parquet"))
        .read_bytes()
        .replace(b"org.apache.spark.version", b"of.another.tool__version"),
    )
    read = local_files.read_columnar

    def read_but_odd(spark: Any, files: Any, *more: Any) -> Any:
        if any("odd" in file for file in files):
            raise KeyError("what nobody thought of")
        return read(spark, files, *more)

    def full(*arguments: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(local_files, "read_columnar", full)
    with pytest.raises(Exception, match="No space left on device"):
        lake.run()
    assert lake.ledger() == {}
    monkeypatch.setattr(local_files, "read_columnar", read_but_odd)
    (run,) = lake.run()
    reasons = {
        name.partition(".")[0]: entry.reason.removeprefix("the file cannot be read as parquet: ")
        for name, entry in lake.ledger().items()
        if entry.result == "refused"
    }
    assert run.result == "partly" and {int(number) for (number,) in lake.good()} == {1, 2, 6, 10}
    assert "CRC" in reasons.pop("summed")
    assert reasons.pop("interval").startswith("'interval day' is not a scalar type")
    lost = "its column {} has moments with nanoseconds (INT96), which Spark would cut off"
    assert reasons == {
        "odd": "'what nobody thought of'",
        "packed": "Class org.apache.hadoop.io.compress.BrotliCodec was not found",
        "no_columns": "it has no column",
        "nanos": lost.format("t"),
        "within": lost.format("s.list.element.t"),
    }


def test_an_avro_file_that_refers_to_itself_is_refused_with_all_faults_and_unions_stop_no_model(
    spark: Any, tmp_path: Path
) -> None:
    lake = Lake(spark, tmp_path, {"format": "avro"})
    lake.land(
        "union.avro",
        avro(
            {"id": "string", "n": ["null", {"type": "int"}, {"type": "long"}]},
            [{"id": "1", "n": (1, 7)}],
        ),
    )
    lake.land(
        "day.avro",
        avro(
            {"id": "string", "d": [{"type": "int", "logicalType": "date"}, "long"]},
            [{"id": "2", "d": (0, 20454)}],
        ),
    )
    lake.land(
        "recursive.avro",
        avro({"id": "string", "t": ["null", "row"]}, [{"id": "3", "t": (0, None)}]),
    )
    lake.land("good.avro", avro({"id": "string"}, [{"id": "4"}]))
    lake.run()
    (entry,) = (entry for entry in lake.ledger().values() if entry.result == "refused")
    assert {int(number) for (number,) in lake.good()} == {
        1,
        2,
        4,
    } and entry.name == "recursive.avro"
    assert (
        "Found recursive reference in Avro schema, which can not be processed by Spark by "
        "default: {" in entry.reason
    )


def test_folders_of_partitions_fill_fields_and_one_that_differs_from_its_file_is_told(
    spark: Any, tmp_path: Path
) -> None:
    lake = Lake(
        spark,
        tmp_path,
        fields={
            "year": {"type": "integer", "aliases": ["jahr"]},
            "month": {"type": "string"},
            "área": {"type": "string"},
        },
    )
    lake.land("year=2024/month=01/a.csv", HEADER + line(1))
    lake.land("Year=2024/month=a%2Fb%20+é/b c.csv", HEADER + line(2))
    lake.land("year=__HIVE_DEFAULT_PARTITION__/month=02/a:b.csv", HEADER + line(3))
    lake.land("year=24x/a.csv", HEADER + line(4))
    lake.land("year=2023/a.csv", b"id,year\n5,2023\n6,2022\n7,\n")
    lake.land("year=2022/b.csv", b"id,year\n9,MMXXII\n")
    lake.land("year=2021/year=2020/a.csv", HEADER + line(10))
    for number, name in enumerate(("área=n", unicodedata.normalize("NFD", "área=n"), "ÁREA=n")):
        lake.land(f"{name}/jahr=2019/month=%E9/{number}.csv", HEADER + line(11 + number))
    lake.land("other=1/a.csv", HEADER + line(8))
    lake.run()
    several = [(number, 2019, "%E9", "n") for number in ("11", "12", "13")]
    assert lake.good("id", "year", "month", "área") == sorted(
        [
            ("1", 2024, "01", None),
            ("2", 2024, "a/b +é", None),
            ("3", None, "02", None),
            ("5", 2023, None, None),
            ("7", 2023, None, None),
            ("8", None, None, None),
            *several,
        ],
        key=lambda row: row[0],
    )
    rescued = sorted((item.get("year"), item.get("year (folder)")) for item in lake.quarantined())
    assert rescued == [
        ("2021, 2020", "2021, 2020"),
        ("2022", "2023"),
        ("24x", "24x"),
        ("MMXXII", "2022"),
    ]


@pytest.mark.parametrize(
    "source, text",
    [
        ({"encoding": "windows-1252"}, HEADER + "1,1.50,1,2026-01-31,é€\n".encode("cp1252")),
        ({"encoding": "latin1"}, HEADER + "1,1.50,1,2026-01-31,é\n".encode("latin-1")),
        ({"encoding": "utf-16le"}, (HEADER + line(1, "é")).decode("latin-1").encode("utf-16-le")),
        ({"delimiter": r"\t"}, HEADER.replace(b",", b"\t") + line(1).replace(b",", b"\t")),
        (
            {"comment": "#"},
            b'# a comment, with "one quote\n#\n' + HEADER + b"#" + line(7) + line(1),
        ),
        ({"sep": ";"}, HEADER.replace(b",", b";") + line(1).replace(b",", b";")),
    ],
)
def test_the_options_of_a_source_are_taken_by_their_usual_names(
    spark: Any, tmp_path: Path, source: dict[str, Any], text: bytes
) -> None:
    lake = Lake(spark, tmp_path, source)
    lake.land("a.csv", text)
    (run,) = lake.run()
    assert lake.good() == [("1",)] and run.result == "succeeded" and not lake.quarantined()


def test_json_with_bytes_that_are_not_of_its_encoding_keeps_them_readable(
    spark: Any, tmp_path: Path
) -> None:
    lake = Lake(spark, tmp_path, {"format": "json"})
    lake.land("a.json", b'{"id":"1","t":"ok"}\n{"id":"2","t":"caf\xe9"}\n')
    lake.land("b:c.json.GZ", gzip.compress(b'{"id":"3"}\n'))
    lake.land("blank.json", b"\n \n")
    lake.run()
    assert lake.good() == [("1",), ("3",)] and [
        item["_corrupt_record"] for item in lake.quarantined()
    ] == ['{"id":"2","t":"caf\\xe9"}']
    assert lake.ledger()["blank.json"].reason == "it has no record"


def test_an_empty_list_is_a_file_without_a_record(spark: Any, tmp_path: Path) -> None:
    lake = Lake(spark, tmp_path, {"format": "json", "multiLine": True})
    lake.land("a.json", b'[{"id":"1"}]')
    for name, content in {
        "empty.json": b"[]",
        "blanks_within.json": b"\xef\xbb\xbf [ \r\n\t]\n",
        "blanks.json": b" \n\t\n",
        "mark.json": b"\xef\xbb\xbf",
    }.items():
        lake.land(name, content)
    lake.land("open.json", b"[")
    (run,) = lake.run()
    ledger = lake.ledger()
    assert (
        run.rows_written == 2
        and lake.good() == [("1",)]
        and [item["_corrupt_record"] for item in lake.quarantined()] == ["["]
    )
    assert {
        (entry.result, entry.records, entry.reason)
        for name, entry in ledger.items()
        if name not in ("a.json", "open.json")
    } == {("read", 0, "it has no record")}
    assert (
        ledger["open.json"].records,
        ledger["open.json"].quarantined,
        ledger["open.json"].reason,
    ) == (1, 1, "")


@pytest.mark.parametrize("format", ["csv", "json"])
def test_data_that_has_the_names_of_what_ingest_says_is_counted_as_data(
    spark: Any, tmp_path: Path, format: str
) -> None:
    lake = Lake(spark, tmp_path, {"format": format})
    records = [
        {"id": str(number), name: "x"}
        for number, name in enumerate(("_unreadable", "_corrupt_record", "_file_path"))
    ] + [{"id": "3", "zz": json.dumps({"_unreadable": "x"})}]
    for number, record in enumerate(records):
        lake.land(
            f"{number}.{format}",
            (
                json.dumps(
                    record
                    if format == "csv" or number < 3
                    else {"id": "3", "zz": {"_unreadable": "x"}}
                )
                if format == "json"
                else f"{','.join(record)}\n"
                f'{number},"{record[[*record][1]].replace(chr(34), chr(34) * 2)}"'
            ).encode(),
        )
    if format == "json":
        lake.land("4.json", b'{"id":"4","_unreadable":{"_corrupt_record":1}}\nno record\n')
    (run,) = lake.run()
    assert run.result == "succeeded" and [number for (number,) in lake.good()] == [
        str(number) for number in range(5 if format == "json" else 4)
    ]
    assert {
        name: (entry.result, entry.records, entry.quarantined)
        for name, entry in lake.ledger().items()
    } == {
        f"{number}.{format}": ("read", 2 if number == 4 else 1, int(number == 4))
        for number in range(5 if format == "json" else 4)
    }


def test_a_file_that_spark_does_not_list_fails_the_run_by_name(spark: Any, tmp_path: Path) -> None:
    lake = Lake(spark, tmp_path)
    lake.land("a.csv", HEADER + line(1))
    lake.land(os.fsdecode(b"bad\xff.csv"), HEADER + line(2))
    with pytest.raises(DatamasterError, match="has not been listed") as caught:
        lake.run()
    assert caught.value.faults[0].code == "file-lost" and lake.good() == [("1",)]


def random_file(draw: random.Random, first: int) -> tuple[str, bytes]:
    """Return the name and content of a csv file with random damage."""
    content = HEADER + b"".join(
        line(first + number, draw.choice(["x", '"a,b"', '"p\nq"', "", '"say ""so"""', "5 pipe"]))
        for number in range(draw.randrange(6))
    )
    ends = draw.choice([b"\n", b"\n", b"\r\n"])
    content = content.replace(b"\n", ends)
    at = draw.randrange(len(content))
    content = draw.choice(
        [
            content,
            content,
            content[:at],
            content[:at] + b'"' + content[at:],
            content[:at] + b"\xff\xfe" + content[at:],
            content[:at] + b"," * 25_000 + content[at:],
            content[at:],
            content.replace(HEADER.strip(), b"z,y"),
        ]
    )
    pack = draw.choice(
        [
            bytes,
            bytes,
            bytes,
            gzip.compress,
            bz2.compress,
            zlib.compress,
            lzma.compress,
            lambda text: gzip.compress(text)[:-9],
            zipped,
        ]
    )
    return draw.choice(
        ["f%.csv", "g:{%}.csv", "day=1/h[%].csv", "% i.csv.gz", "j%.csv.bz2", "k%.txt"]
    ).replace("%", str(first), 1), pack(content)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_files_the_ledger_has_each_of_them_and_its_records_add_up(
    spark: Any, tmp_path: Path, seed: int
) -> None:
    draw, lake = random.Random(seed), Lake(spark, tmp_path)
    named = dict(random_file(draw, 10 * number) for number in range(40))
    for name, content in named.items():
        lake.land(name, content)
    (run,) = lake.run()
    ledger, rows = lake.ledger(), lake.table("bronze/kind")
    assert set(ledger) == set(named)
    assert all(
        entry.result in ("read", "refused") and (entry.records or entry.reason)
        for entry in ledger.values()
    ), [entry for entry in ledger.values() if not (entry.records or entry.reason)]
    unread = [
        row
        for row in rows
        if "_unreadable" in json.loads(row["carlton_rescued"] or "{}")
        and "_corrupt_record" not in json.loads(row["carlton_rescued"])
    ]
    assert (
        sum(entry.records for entry in ledger.values()) + len(unread)
        == len(rows)
        == run.rows_written
    )
    assert sum(entry.good for entry in ledger.values()) == sum(
        not row["carlton_is_quarantined"] for row in rows
    )
    assert len(lake.quarantined()) == sum(entry.quarantined for entry in ledger.values()) + len(
        unread
    )
    shutil.rmtree(tmp_path, ignore_errors=True)
