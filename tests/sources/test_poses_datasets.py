"""Datasets of HDF5 files: as they are, or refused before HDF5 writes beyond the memory that h5py gives it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from kineme.sources.poses.arrays import MAX_NUMBERS
from kineme.sources.poses.datasets import attribute, dataset

h5py = pytest.importorskip("h5py")
from h5py import h5a, h5d, h5s, h5t  # noqa: E402

RECORD = np.dtype([("score", "<f4"), ("start", "<i8")])


def overlapping() -> Any:
    """Records whose first field has four bytes and an exponent that h5py takes for one of eight."""
    odd = h5t.IEEE_F32LE.copy()
    odd.set_ebias(1000)
    record = h5t.create(h5t.COMPOUND, RECORD.itemsize)
    record.insert(b"score", 0, odd)
    record.insert(b"start", 4, h5t.STD_I64LE)
    return record


def opened() -> Any:
    return h5py.File(io.BytesIO(), "w")


def test_a_dataset_is_read_as_it_is() -> None:
    records = np.array([(0.5, 3), (0.25, -1)], dtype=RECORD)
    with opened() as file:
        file["records"], file["text"], file["numbers"] = records, ["a", "bc"], np.eye(2)
        file["numbers"].attrs["records"] = records
        np.testing.assert_array_equal(dataset(file, "records"), records)
        assert dataset(file, "text").tolist() == [b"a", b"bc"]
        np.testing.assert_array_equal(dataset(file, "numbers"), [[1, 0], [0, 1]])
        np.testing.assert_array_equal(attribute(file["numbers"], "records"), records)


def test_records_that_overlap_are_refused() -> None:
    with opened() as file:
        h5d.create(file.id, b"records", overlapping(), h5s.create_simple((4,)))
        with pytest.raises(ValueError, match=r"^has 'records' of a damaged type$"):
            dataset(file, "records")
        h5a.create(file.id, b"json", overlapping(), h5s.create_simple((4,)))
        with pytest.raises(ValueError, match=r"^has 'json' of a damaged type$"):
            attribute(file, "json")


def test_groups_and_what_no_clip_has_are_refused() -> None:
    with opened() as file:
        file.create_group("group")
        file.create_dataset("long", (MAX_NUMBERS + 1,), "<f8", chunks=(1024,))
        file.create_dataset("wide", (1, 1, 1, 1, 1), "<f8")
        for name in ("group", "long", "wide"):
            with pytest.raises(ValueError, match=f"^has '{name}' of a size that no clip has$"):
                dataset(file, name)


def test_what_is_not_in_the_file_takes_no_memory() -> None:
    with opened() as file:
        file.create_dataset("little", (100,), "<f8", chunks=(10,))  # of fill values
        file.create_dataset("hollow", (1 << 22,), "<f8", chunks=(1024,))
        file.create_dataset("packed", data=np.zeros(1 << 22), compression="gzip", compression_opts=9)
        assert dataset(file, "little").tolist() == [0.0] * 100
        with pytest.raises(ValueError, match=r"^has 'hollow' of 33,554,432 bytes, and holds 0$"):
            dataset(file, "hollow")
        assert dataset(file, "packed").shape == (1 << 22,)
