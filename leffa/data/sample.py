"""The one type that every data source yields and the training, evaluation and tests take."""

from dataclasses import dataclass

from torch import Tensor

from leffa.config import Garment, Task


@dataclass(frozen=True)
class Sample:
    """One training or evaluation pair. All tensors live on the CPU; H, W are the same for all of them.

    name         what a log or a file should call it
    task         Task.TRY_ON or Task.POSE_TRANSFER
    garment      kind of garment; None in pose transfer
    person       (3, H, W) float32 in [-1, 1]: the target picture
    reference    (3, H, W) float32 in [-1, 1]: product shot, or the same person in another pose
    mask         (1, H, W) float32 in {0, 1}: 1 = repaint; all ones in pose transfer
    densepose    (3, H, W) float32 in [-1, 1]: the condition, encoded for the model to be trained
    loss_mask    (1, H, W) float32 in {0, 1}: I_m of the Leffa loss, the worn garment (docs/method.md),
                 or the dilated person in pose transfer

    reference_mask  (1, H, W) float32 in {0, 1}: the garment, or the person, on the reference; None if unknown

    Known for synthetic people only, else None:

    flow         (H, W, 2) float32: where on the reference each person pixel comes from, absolute (x, y)
                 in [-1, 1] with pixel centres at (2 i + 1) / size - 1; arbitrary where not visible
    visible      (H, W) bool: the pixel's surface point is seen in the reference
    labels       (H, W) uint8, ``Parse`` labels of the person picture
    parts        (3, H, W) uint8, I, U, V of the body under the clothes
    landmarks    (33, 4) float32: x, y in pixels, z in pixels (smaller is nearer), visibility in [0, 1]

    Known for redressed synthetic people only, else None: the same person before the garment was put on

    old_person   (3, H, W) float32 in [-1, 1]: the photo as it would be given
    old_labels   (H, W) uint8, ``Parse`` labels of ``old_person``
    old_mask     (1, H, W) float32 in {0, 1}: where the garments that had to go are seen
    """

    name: str
    task: Task
    garment: Garment | None
    person: Tensor
    reference: Tensor
    mask: Tensor
    densepose: Tensor
    loss_mask: Tensor
    reference_mask: Tensor | None = None
    flow: Tensor | None = None
    visible: Tensor | None = None
    labels: Tensor | None = None
    parts: Tensor | None = None
    landmarks: Tensor | None = None
    old_person: Tensor | None = None
    old_labels: Tensor | None = None
    old_mask: Tensor | None = None
