"""Single bits of finished blocks that change, and who notices: for scripts/soak.py."""

import shutil
from collections import Counter

from soak_stores import contents, differing

from manybody.cli.kinds import open_store
from manybody.study.merging import merge

# Who looks at a block: reports and status read, a run checks, a merge copies.
LOOKS = ("read", "a run's check", "merge from it", "merge into it")


class Flips:
    """Bits flipped, one at a time, in blocks of whole stores below `folder`.

    stores: folders of complete stores, which are left as they were.
    """

    def __init__(self, folder, rng, stores):
        self.folder, self.rng, self.stores = folder, rng, stores
        self.flipped, self.found = 0, Counter()
        self.missed = []

    @property
    def is_harmed(self):
        """Whether a bit was missed by anybody."""
        return bool(self.missed)

    def run(self, wanted):
        """So many bits, in the stores in turn."""
        whole = {out: contents(open_store(out))[0] for out in self.stores}
        for turn in range(wanted):
            out = self.stores[turn % len(self.stores)]
            own = self.folder / "flipped"
            shutil.copytree(out, own)
            path = self.rng.choice(sorted((own / "blocks").rglob("*.h5")))
            image = bytearray(path.read_bytes())
            place = self.rng.randrange(8 * len(image))
            image[place // 8] ^= 1 << place % 8
            path.write_bytes(image)
            self.flipped += 1
            for look, saw in self.look(own, out, path, whole[out]).items():
                self.found[look] += saw
                if not saw:
                    self.missed.append(f"{path.relative_to(own)}, bit {place}: not by {look}")
            shutil.rmtree(own)

    def look(self, own, out, path, expected):
        """{who looks: whether it noticed, gave out nothing of that block and all of the others}.

        own: the store with the bit; out: the same without it.
        """
        flipped, whole, study = open_store(own), open_store(out), open_store(out).study
        lost = {
            (path.parent.name, sample) for sample in range(*map(int, path.stem.split("-")[:2]))
        }
        others = expected.keys() - lost
        there, _, problems = contents(flipped)
        seen = {}
        seen["read"] = (
            [path.name in each for each in problems] == [True]
            and there.keys() == others
            and differing(flipped, expected) == 0
        )
        from_it, into_it = self.folder / "from", self.folder / "into"
        target = type(flipped)(from_it, flipped.kind)
        merged = merge([flipped], target)
        seen["merge from it"] = (
            any(path.name in each for each in merged.problems)
            and contents(target)[0].keys() == others
            and differing(target, expected) == 0
        )
        # A damaged copy is written again.
        shutil.copytree(own, into_it)
        target = open_store(into_it)
        merged = merge([whole], target)
        seen["merge into it"] = (
            merged.copied == 1
            and merged.problems == ()
            and contents(target)[0].keys() == expected.keys()
            and differing(target, expected) == 0
        )
        problems = flipped.set_aside_corrupt(study)
        seen["a run's check"] = (
            [path.name in each for each in problems] == [True]
            and not path.exists()
            and path.with_suffix(".corrupt").exists()
            and contents(flipped)[0].keys() == others
        )
        shutil.rmtree(from_it)
        shutil.rmtree(into_it)
        return seen

    def summary(self):
        """What was counted, for people."""
        found = ", ".join(f"{self.found[look]} by {look}" for look in LOOKS)
        return "\n".join([f"{self.flipped} bits flipped, found: {found}", *self.missed[:10]])
