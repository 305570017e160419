"""Matrices in files as the samples of a study; files are damaged, hostile, or grow in number."""

import io
import json
import pickle
import shutil
import time
import zipfile

import h5py
import numpy as np
import oracles
import pytest
import scipy.io
import scipy.sparse as sp
from tiny import TABLES, assert_same_payload, payload

import manybody as mb
from manybody import cli
from manybody.errors import InputError
from manybody.study import matrix_files
from manybody.study.matrix_files import MOST_STATES, content_of, find_files, read_model
from manybody.study.model_loading import load_own_models, with_own_models
from manybody.study.own_models import OwnFamily, OwnModel
from manybody.study.parsing import parse_study
from manybody.study.store import Store

HEAD = """
name = "files"
seed = 3
times = [0.0, 1.5, 4.0]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
"""
ALL = '[[systems]]\nmodel = "files"\nfiles = "matrices/m-*.npz"\n'
SOME = '[[systems]]\nmodel = "files"\nname = "ends"\nfiles = "matrices/m-1.npz"\n'
SOME += "coupled_sites = [0, 3]\n"
MANY = '[[systems]]\nmodel = "files"\nname = "many"\nfiles = ["matrices/chain.npz"]\n'
MANY += 'initial_state = "eigenstate-0"\n'


def matrices():
    """By number; 1, 2 and 10 have four sites, 3 and 4 five."""
    rng = np.random.default_rng(4)
    return {k: oracles.random_hermitian(rng, 5 if k in (3, 4) else 4) for k in (1, 2, 3, 4, 10)}


def write(folder, systems=ALL + SOME + MANY):
    (folder / "matrices").mkdir(parents=True)
    for number, matrix in matrices().items():
        np.savez(folder / "matrices" / f"m-{number}.npz", hamiltonian=matrix, other=np.eye(2))
    chain = mb.xxz_chain(4, seed=1)
    dense = chain.dense_hamiltonian()
    couplings = chain.basis.occupations.T.astype(float)
    np.savez_compressed(folder / "matrices" / "chain.npz", hamiltonian=dense, couplings=couplings)
    path = folder / "files.toml"
    path.write_text(HEAD + systems + TABLES)
    return path


def run(path, out, *options):
    """Without a report, as a shard."""
    return cli.main(["run", str(path), "--out", str(out), "--quiet", "--shard", "0/1", *options])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    path = write(folder)
    assert run(path, folder / "out") == 0
    return path, folder / "out"


@pytest.fixture
def copied(finished, tmp_path):
    shutil.copytree(finished[0].parent, tmp_path / "copy")
    return tmp_path / "copy" / "files.toml", tmp_path / "copy" / "out"


def test_every_file_is_a_sample_of_its_size(finished, bath):
    found = payload(Store(finished[1]))
    given, times = matrices(), [0.0, 1.5, 4.0]
    order = {4: [1, 2, 10], 5: [3, 4]}
    assert found.keys() == {
        *((f"files-size={size}", sample) for size in order for sample in range(len(order[size]))),
        ("ends-baths=0.3-size=4", 0),
        ("many-initial_state=eigenstate-0-size=6", 0),
    }
    for size, numbers in order.items():
        for sample, number in enumerate(numbers):
            wanted = mb.compare(given[number], bath, times).trace_distance
            own = found[f"files-size={size}", sample]["trace_distance"]
            np.testing.assert_allclose(own, wanted, atol=1e-13)
    ends = mb.compare(mb.SingleParticleModel(given[1], [0, 3]), bath, times).trace_distance
    own = found["ends-baths=0.3-size=4", 0]["trace_distance"]
    np.testing.assert_allclose(own, ends, atol=1e-13)
    chain = mb.xxz_chain(4, seed=1)
    wanted = mb.compare(chain, bath, times, initial_state="eigenstate-0").trace_distance
    own = found["many-initial_state=eigenstate-0-size=6", 0]["trace_distance"]
    np.testing.assert_allclose(own, wanted, atol=1e-13)


def test_status_report_and_sample_know_the_files(finished, capsys):
    path, out = finished
    assert cli.main(["status", str(out)]) == 0
    assert "7 of 7 samples" in capsys.readouterr().out
    assert cli.main(["report", str(out), "--format", "csv"]) == 0
    assert "ends, baths on sites 0.3" in capsys.readouterr().out
    command = ["sample", str(out), "--size", "5", "--index", "1", "--models"]
    assert cli.main([*command, str(path.parent)]) == 0
    assert "the same bits as in" in capsys.readouterr().out
    assert cli.main([*command, str(out)]) == 2
    assert "m-4.npz cannot be read" in capsys.readouterr().err
    assert cli.main(["plan", str(path)]) == 0
    assert "files-size=5" in capsys.readouterr().out


def test_a_changed_file_is_refused_and_further_ones_are_not(copied, capsys):
    path, out = copied
    before, folder = payload(Store(out)), path.parent / "matrices"
    np.savez(folder / "m-11.npz", hamiltonian=np.diag([1.0, 2.0, 4.0, 8.0]))
    assert run(path, out) == 0
    after = payload(Store(out))
    assert after.keys() - before.keys() == {("files-size=4", 3)}
    assert_same_payload({key: after[key] for key in before}, before)
    # One file each of two sizes, of which the store has others.
    single = ALL.replace("m-*", "m-[13]")
    path.write_text(path.read_text().replace(ALL, single))
    assert run(path, out) == 0
    assert Store(out).study.systems[0].counts == {4: 4, 5: 2}
    path.write_text(path.read_text().replace(single, ALL))
    # Fewer files are asked for: what is there stays.
    path.write_text(path.read_text().replace('"matrices/m-*.npz"', '"matrices/m-[12].npz"'))
    assert run(path, out) == 0
    assert payload(Store(out)).keys() == after.keys()

    path.write_text(path.read_text().replace('"matrices/m-[12].npz"', '"matrices/m-*.npz"'))
    np.savez(folder / "m-2.npz", hamiltonian=np.diag([1.0, 2.0, 4.0, 8.0]))
    capsys.readouterr()
    assert run(path, out) == 2
    assert "the file of sample 1 of size 4 is" in capsys.readouterr().err
    study = Store(out).study
    load_own_models(study, path.parent, False)
    with pytest.raises(InputError, match=r"m-2\.npz has changed: it is another matrix"):
        study.systems[0].points[0].build(study.seed, 1)
    assert payload(Store(out)).keys() == after.keys()


def test_a_file_that_changes_during_a_run_is_a_failed_sample(tmp_path, monkeypatch, capsys):
    path = write(tmp_path, ALL)
    real = matrix_files.keep_place

    def elsewhere(digest, place):
        real(digest, place.with_name("m-3.npz") if place.name == "m-2.npz" else place)

    monkeypatch.setattr(matrix_files, "keep_place", elsewhere)
    assert run(path, tmp_path / "out") == 3
    assert "m-3.npz has changed" in capsys.readouterr().err
    assert len(payload(Store(tmp_path / "out"))) == 4


def as_files(folder, matrix):
    """(name, dataset) of one matrix in every format."""
    sparse = sp.coo_matrix(matrix)
    np.save(folder / "dense.npy", matrix)
    np.save(folder / "columns.npy", np.asfortranarray(matrix))
    np.savez(folder / "named.npz", h=matrix)
    for kind in ("csr", "csc", "coo"):
        sp.save_npz(folder / f"{kind}.npz", sparse.asformat(kind))
    scipy.io.mmwrite(folder / "sparse.mtx", sparse, precision=17)
    scipy.io.mmwrite(folder / "dense.mtx", np.asarray(matrix), comment="two\nlines", precision=17)
    with h5py.File(folder / "one.h5", "w") as file:
        file["some/h"] = matrix
        file.create_dataset("packed", data=matrix, chunks=(2, 2), compression="gzip")
        csc = sparse.tocsc()
        for name in ("data", "indices", "indptr"):
            file[f"parts/{name}"] = getattr(csc, name)
        file["parts/shape"], file["parts/format"] = csc.shape, "csc"
    (folder / "copy.HDF5").write_bytes((folder / "one.h5").read_bytes())
    return [
        *(("dense.npy", "hamiltonian"), ("columns.npy", "hamiltonian"), ("named.npz", "h")),
        *((f"{kind}.npz", "hamiltonian") for kind in ("csr", "csc", "coo")),
        *(("sparse.mtx", "hamiltonian"), ("dense.mtx", "hamiltonian")),
        *(
            ("one.h5", "some/h"),
            ("one.h5", "/packed"),
            ("one.h5", "parts"),
            ("copy.HDF5", "packed"),
        ),
    ]


@pytest.mark.parametrize("real", [True, False])
def test_every_format_holds_the_same_matrix(tmp_path, rng, real):
    matrix = oracles.random_hermitian(rng, 5, real)
    matrix[0, 3] = matrix[3, 0] = 0.0
    given = as_files(tmp_path, matrix)
    assert len(given) == 12
    for name, dataset in given:
        model = read_model(tmp_path / name, (tmp_path / name).read_bytes(), dataset, None)
        np.testing.assert_allclose(model.dense_hamiltonian(), matrix, rtol=1e-15, atol=1e-300)
        assert model.is_real is real
        is_sparse = dataset == "parts" or name.startswith(("cs", "coo", "sparse"))
        assert sp.issparse(model.hamiltonian) is is_sparse


def test_matrix_couplings_and_single_precision(tmp_path, rng):
    matrix = oracles.random_hermitian(rng, 4)
    couplings = np.stack([oracles.random_hermitian(rng, 4) for _ in range(2)])
    with h5py.File(tmp_path / "many.h5", "w") as file:
        file["hamiltonian"], file["couplings"] = matrix, couplings
    model = read_model(tmp_path / "many.h5", content_of(tmp_path / "many.h5"), "hamiltonian", None)
    wanted = mb.ManyBodyModel(matrix, list(couplings))
    assert model.couplings.digest == wanted.couplings.digest
    np.save(tmp_path / "single.npy", matrix.astype(np.complex64))
    single = read_model(tmp_path / "single.npy", content_of(tmp_path / "single.npy"), "", None)
    assert (
        single.uncertainty == mb.SingleParticleModel(matrix.astype(np.complex64)).uncertainty > 0
    )


class Bomb:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def npy(shape, dtype="<f8", content=b"", version=(1, 0)):
    """A NumPy file of this header, whatever follows."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    length = len(header) + 1
    size = length.to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + size + header + b"\n" + content


def zipped(**entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def saved(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def sparse_parts(**changes):
    parts = {
        "format": np.array(b"csr"),
        "shape": np.array([2, 2]),
        "data": np.array([1.0, 2.0]),
        "indices": np.array([0, 1]),
        "indptr": np.array([0, 1, 2]),
    }
    return zipped(**{name: saved(value) for name, value in {**parts, **changes}.items()})


def hdf5(fill):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def outside(file, folder):
    """Whatever of HDF5 leads to another file."""
    file["external"] = h5py.ExternalLink(str(folder / "secret.h5"), "hamiltonian")
    file["soft"] = h5py.SoftLink("/external")
    file.create_dataset(
        "raw", (2, 2), dtype="f8", external=[(str(folder / "secret.raw"), 0, h5py.h5f.UNLIMITED)]
    )
    layout = h5py.VirtualLayout((2, 2), dtype="f8")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "hamiltonian", shape=(2, 2))
    file.create_virtual_dataset("virtual", layout)


def hostile(folder):
    """name -> (file, dataset, words of the refusal)."""
    pickled = pickle.dumps(np.array([Bomb(folder / "ran")], dtype=object))
    eye = saved(np.eye(2))
    many = MOST_STATES + 1
    banner = b"%%MatrixMarket matrix "
    links = hdf5(lambda file: outside(file, folder))
    huge = hdf5(
        lambda file: file.create_dataset(
            "hamiltonian", (10**5, 10**5), chunks=(10, 10), dtype="f4"
        )
    )
    text = hdf5(lambda file: file.create_dataset("hamiltonian", data=["a"]))
    return {
        "pickle.npy": (npy((1,), "|O", pickled), "", r"holds objects \(dtype object\)"),
        "pickle.npz": (zipped(hamiltonian=npy((1,), "|O", pickled)), "", "holds objects"),
        "bare.npy": (pickled, "", "cannot be read: ValueError"),
        "fields.npy": (saved(np.zeros(2, dtype=[("a", "f8")])), "", "holds objects"),
        "long.npy": (npy((10**9, 10**9)), "", r"has shape \(1000000000, 1000000000\) .* 0 bytes"),
        "negative.npy": (npy((-1, -1), content=b"\0" * 8), "", "cannot be read"),
        "short.npy": (eye[:-1], "", "but 31 bytes of them"),
        "version.npy": (npy((2, 2), version=(3, 0)), "", r"NumPy format \(3, 0\)"),
        "nan.npy": (saved(np.array([[np.nan]])), "", "hamiltonian contains nan"),
        "word.npy": (saved(np.array([["a"]])), "", "hamiltonian has dtype <U1: must be numeric"),
        "lopsided.npy": (saved(np.triu(np.ones((3, 3)))), "", "is not Hermitian: max"),
        "flat.npy": (saved(np.ones(4)), "", r"has shape \(4,\)"),
        "oblong.npz": (zipped(hamiltonian=saved(np.ones((2, 3)))), "", r"has shape \(2, 3\)"),
        "empty.npy": (saved(np.ones((0, 0))), "", r"has shape \(0, 0\)"),
        "nothing.npy": (b"", "", "cannot be read"),
        "torn.npz": (zipped(hamiltonian=eye)[:-30], "", "cannot be read: BadZipFile"),
        "other.npz": (zipped(a=eye, b=eye), "", "has no 'hamiltonian', but 'a', 'b'"),
        "odd.npz": (zipped(hamiltonian=eye, couplings=saved(np.ones((1, 3)))), "", "couplings"),
        "indices.npz": (sparse_parts(indices=np.array([0, 7])), "", "cannot be read: ValueError"),
        "below.npz": (sparse_parts(indices=np.array([-1, 0])), "", "cannot be read: ValueError"),
        "pointer.npz": (
            sparse_parts(indptr=np.array([0, 5, 2])),
            "",
            "cannot be read: ValueError",
        ),
        "shape.npz": (
            sparse_parts(shape=np.array([many, many])),
            "",
            f"D from 1 to {MOST_STATES}",
        ),
        "kind.npz": (sparse_parts(format=np.array(b"bsr")), "", "format 'bsr' of a sparse matrix"),
        "coo.npz": (
            sparse_parts(format=np.array(b"coo"), row=np.array([0, 9]), col=np.array([0, 1])),
            "",
            "cannot be read: ValueError",
        ),
        "words.mtx": (b"hello\n", "", "the first line must begin %%MatrixMarket matrix"),
        "many.mtx": (banner + b"coordinate real general\n3 3 999999999\n", "", "do not fit in"),
        "large.mtx": (banner + b"array real general\n90000 90000\n1.0\n", "", "do not fit in"),
        "larger.mtx": (
            banner + f"array real general\n{many} {many}\n".encode(),
            "",
            "D from 1 to",
        ),
        "sizes.mtx": (banner + b"array real general\n-3 -3\n", "", "line of sizes is not that"),
        "index.mtx": (banner + b"coordinate real general\n2 2 1\n7 7 1.0\n", "", "cannot be read"),
        "lines.mtx": (banner + b"coordinate real general\n2 2 2\n1 1 1.0\n", "", "cannot be read"),
        "external.h5": (links, "external", "'external' is a soft or external link"),
        "soft.h5": (links, "soft", "'soft' is a soft or external link"),
        "raw.h5": (links, "raw", "'raw' lies in another file"),
        "virtual.h5": (links, "virtual", "'virtual' lies in another file"),
        "huge.h5": (huge, "", r"'hamiltonian' has 37\.3 GiB, more than a quarter"),
        "text.h5": (text, "", r"has shape \(1,\)"),
        "group.h5": (hdf5(lambda f: f.create_group("hamiltonian")), "", "is a group without data"),
        "none.h5": (hdf5(lambda f: None), "", "has no 'hamiltonian', but nothing"),
        "torn.h5": (links[: len(links) // 2], "", "cannot be read"),
        "matrix.txt": (eye, "", "the name must end in .npy, .npz, .mtx, .h5, .hdf5"),
    }


def test_hostile_files_are_refused_in_a_sentence(tmp_path, monkeypatch):
    """Named, in one line, at once, without a look at anything else."""
    np.save(tmp_path / "secret.npy", np.eye(2))
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["hamiltonian"] = np.eye(2)
    (tmp_path / "secret.raw").write_bytes(np.eye(2).tobytes())
    monkeypatch.setattr(matrix_files, "machine_bytes", lambda: 2.0**32)
    given = hostile(tmp_path)
    for name, (content, dataset, words) in given.items():
        start = time.monotonic()
        path = tmp_path / name
        with pytest.raises(InputError, match=words) as caught:
            read_model(path, content, dataset or "hamiltonian", None)
        assert str(caught.value).startswith(f"{path}") and "\n" not in str(caught.value), name
        assert time.monotonic() - start < 5.0, name
    assert not (tmp_path / "ran").exists()
    # What leads there would have been read.
    (tmp_path / "links.h5").write_bytes(given["external.h5"][0])
    with h5py.File(tmp_path / "links.h5") as file:
        for name in ("external", "soft", "raw", "virtual"):
            assert file[name].shape == (2, 2)


def test_a_hostile_file_stops_a_study_before_it_begins(tmp_path, capsys):
    path = write(tmp_path, ALL)
    (tmp_path / "matrices" / "m-7.npz").write_bytes(hostile(tmp_path)["pickle.npz"][0])
    assert run(path, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "m-7.npz" in said and "holds objects" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "path", ["/etc/h.npy", "../h.npy", "a/../../h.npy", "~/h.npy", "", "a//b"]
)
def test_paths_stay_in_the_folder(path, finished, tmp_path):
    """In studies, and in stores that are read."""
    with pytest.raises(InputError, match=r"files\.toml: .*files"):
        parse_study(HEAD + f"[[systems]]\nmodel = 'files'\nfiles = '{path}'\n", "files.toml")
    description = json.loads((finished[1] / "study.json").read_text())
    description["study"]["systems"][0]["own"]["files"][0]["paths"][0] = path
    (tmp_path / "study.json").write_text(json.dumps(description))
    with pytest.raises(InputError, match="does not describe a study: .*files"):
        _ = Store(tmp_path).study


@pytest.mark.parametrize(
    ("systems", "words"),
    [
        (ALL.replace("m-*", "**/m-*"), "parts '..' and '\\*\\*' and empty ones are not allowed"),
        (ALL.replace('"matrices/m-*.npz"', "[]"), r"files = \[\]: at least one file is needed"),
        (ALL.replace('"matrices/m-*.npz"', "3"), "a string is needed"),
        (ALL.replace("m-*.npz", ""), "empty ones are not allowed"),
        (ALL + "size = 4\n", "unknown key 'size'"),
        (ALL + "samples = 4\n", "unknown key 'samples'"),
        (ALL + ALL, "appears more than once"),
        (ALL + '[[systems]]\nmodel = "dirac_syk2"\nn_sites = 4\n', "key 'samples' is missing"),
    ],
)
def test_what_the_text_tells(systems, words):
    with pytest.raises(InputError, match=words):
        parse_study(HEAD + systems, "files.toml")


def test_files_say_themselves_how_many_samples_there_are():
    with pytest.raises(InputError, match="samples = 4: .*a sample for each of their files"):
        parse_study("samples = 4\n" + HEAD + ALL, "files.toml")


@pytest.mark.parametrize(
    ("systems", "words"),
    [
        (ALL.replace("m-*", "n-*"), "files = 'matrices/n-\\*.npz': no file in"),
        (ALL.replace("m-*", "n"), "files = 'matrices/n.npz': no such file in"),
        (
            SOME.replace("[0, 3]", "[0, 4]"),
            "m-1.npz: coupled_sites contains 4: allowed are 0 to 3",
        ),
        (SOME.replace("m-1", "chain"), "chain.npz: coupled_sites: are of one particle, this file"),
        (
            MANY.replace('initial_state = "eigenstate-0"', ""),
            "initial_state is missing.*in a study { file = ",
        ),
        (
            MANY.replace("chain.npz", "m-1.npz").replace("eigenstate-0", "neel"),
            "the model has no occupations",
        ),
        (
            MANY.replace('["', '["matrices/chain.npz", "'),
            "'matrices/chain.npz' is named more than",
        ),
    ],
)
def test_what_only_the_files_tell(finished, systems, words):
    study = parse_study(HEAD + systems, "files.toml")
    with pytest.raises(InputError, match=words):
        with_own_models(study, finished[0].parent, False)


def test_files_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("m-10.npy", "m-9.npy", "m-2b.npy", "m-2a.npy", "m.npy"):
        (tmp_path / name).touch()
    (tmp_path / "m-3.npy").mkdir()
    assert find_files(tmp_path, ["*.npy"]) == [
        "m-2a.npy",
        "m-2b.npy",
        "m-9.npy",
        "m-10.npy",
        "m.npy",
    ]
    assert find_files(tmp_path, ["m-9.npy", "m-2*.npy"]) == ["m-9.npy", "m-2a.npy", "m-2b.npy"]


def test_reports_say_which_files(finished):
    families = [system.family for system in Store(finished[1]).study.systems]
    assert [own.hamiltonian for own in families] == [
        "files matrices/m-*.npz",
        "ends: files matrices/m-1.npz",
        "many: files matrices/chain.npz",
    ]
    several = OwnFamily("files", OwnModel(wanted=("a.npy", "b.npy", "c.npy", "d.npy")))
    assert several.hamiltonian == "files a.npy, b.npy and 2 others"
