"""Data named on the command line, KIND:WHERE, as data sets of samples."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leffa.config import DensePoseEncoding
from leffa.errors import LeffaError

if TYPE_CHECKING:
    from torch.utils.data import Dataset

KINDS = ("packed", "viton-hd", "dress-code", "deep-fashion", "synthetic")
HELP = (
    "packed:DIR, viton-hd:DIR, dress-code:DIR, deep-fashion:DIR, or synthetic:SEED, which renders people as "
    "they are needed"
)
KNOWN_FLOW = ("packed", "synthetic")
ENCODINGS = {
    "viton-hd": DensePoseEncoding.VITON_HD,
    "dress-code": DensePoseEncoding.DRESS_CODE,
    "deep-fashion": DensePoseEncoding.POSE_TRAINING,
    "packed": DensePoseEncoding.BODY,
    "synthetic": DensePoseEncoding.BODY,
}
"""kind -> the condition that the published weights of that data, or the bundled ones, were trained with"""


@dataclass(frozen=True)
class Source:
    """A named source of samples, such as ``viton-hd:data/VITON-HD``.

    kind   one of ``KINDS``
    where  a folder, or the seed of synthetic people
    """

    kind: str
    where: str

    @classmethod
    def parse(cls, text: str) -> "Source":
        """Raises LeffaError for what is no KIND:WHERE."""
        kind, _, where = text.partition(":")
        if kind not in KINDS or not where:
            raise LeffaError(f"unknown data {text!r}: give {HELP}")
        if kind == "synthetic" and not where.isdecimal():
            raise LeffaError(f"{text!r}: the seed of synthetic people is a whole number, such as synthetic:0")
        return cls(kind, where)

    @property
    def knows_flow(self) -> bool:
        """Whether its samples have the exact flow, which losses on known correspondence need."""
        return self.kind in KNOWN_FLOW

    @property
    def encoding(self) -> DensePoseEncoding:
        """The densepose encoding usual for this data."""
        return ENCODINGS[self.kind]

    def open(
        self,
        size: tuple[int, int],
        encoding: DensePoseEncoding | str,
        split: str = "train",
        paired: bool = True,
        count: int | None = None,
    ) -> "Dataset":
        """The samples, map-style, each a ``Sample``; all files are looked for now.

        size      (height, width); packed data keeps its own
        encoding  how the model to be trained wants its densepose; packed and synthetic people have BODY
        split     "train" or "test"; packed data has no splits
        paired    with False every person gets another's garment, where the data set lists such pairs
        count     how many synthetic people there are, None = many

        Raises LeffaError, naming what is missing or does not fit.
        """
        from leffa.data.packed import PackedDataset

        encoding = DensePoseEncoding(encoding)
        if self.knows_flow and encoding is not DensePoseEncoding.BODY:
            raise LeffaError(
                f"{self.kind} people have the densepose encoding 'body', the model wants {encoding.value!r}: "
                "train it on data of its own kind"
            )
        if not paired and self.kind not in ("viton-hd", "dress-code"):
            raise LeffaError(f"{self.kind} data has no mismatched pairs: take viton-hd or dress-code")
        if self.kind == "packed":
            return PackedDataset(self.where)
        if self.kind == "viton-hd":
            from leffa.data.viton_hd import VitonHD

            return VitonHD(self.where, split, paired, size, encoding)
        if self.kind == "dress-code":
            from leffa.data.dress_code import DressCode

            return DressCode(self.where, split, paired, size, encoding)
        if self.kind == "deep-fashion":
            from leffa.data.deep_fashion import DeepFashion

            return DeepFashion(self.where, split, size, encoding)
        return self._synthetic(size, split, count)

    def _synthetic(self, size: tuple[int, int], split: str, count: int | None) -> "Dataset":
        from leffa.synthetic.identity import Settings, Split
        from leffa.synthetic.samples import MANY, SyntheticPeople

        settings = Settings(seed=int(self.where), split=Split(split), size=size, reuse=1)
        return SyntheticPeople(settings, count or MANY)
