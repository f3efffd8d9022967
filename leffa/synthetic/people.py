"""Synthetic people as a data set that renders each sample when it is asked for."""

from torch.utils.data import Dataset

from leffa.data.sample import Sample
from leffa.synthetic import POSE_SHARE
from leffa.synthetic.samples import Settings, make_pose_pair, make_try_on

MANY = 1 << 20


class SyntheticPeople(Dataset):
    """Rows 0 .. ``count`` - 1, each a pure function of its number and the settings; nothing is kept on disk.

    With ``settings.reuse`` 1 every row is another person. A row takes a core a fraction of a second, so
    give a loader workers, or pack a folder once if the same people may come again.
    """

    def __init__(self, settings: Settings, count: int = MANY):
        self._settings, self._count = settings, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        # row i is a pose pair when i * share steps over an integer, so that both tasks are spread evenly
        is_pose = int((index + 1) * POSE_SHARE) > int(index * POSE_SHARE)
        return (make_pose_pair if is_pose else make_try_on)(index, self._settings)
