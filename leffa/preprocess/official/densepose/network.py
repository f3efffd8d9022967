"""DensePose R50-FPN s1x in plain PyTorch, under detectron2's parameter names.

The published weights expect the arithmetic of this file: the stride in the first 1x1 of a bottleneck,
FrozenBN with eps 1e-5, nearest upsampling in the FPN, bilinear in the decoder.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leffa.preprocess.official.densepose.boxes import (
    anchors,
    apply_deltas,
    clip_to,
    is_empty,
    levels_of,
    non_maximum_suppression,
    roi_align,
)

STRIDES = (4, 8, 16, 32, 64)  # of p2 .. p6
SCORE_THRESHOLD = 0.5  # the official demo's, above detectron2's 0.05
_PROPOSALS = 1000  # per level, and after merging the levels
_DETECTIONS = 100


@dataclass(frozen=True)
class Charts:
    """What DensePose says of one person, as raw network outputs over the person's box.

    coarse (2, 112, 112)   background and body
    fine   (25, 112, 112)  background and the 24 parts
    u, v   (25, 112, 112)  surface coordinates for each part; about [0, 1] but unclamped
    """

    coarse: Tensor
    fine: Tensor
    u: Tensor
    v: Tensor


class FrozenNorm(nn.Module):
    """Batch norm with fixed statistics.

    Not folded into the convolution before it: folding saves 5 % of the time, but rounds differently, and
    unfolded the pyramid is equal to detectron2's to the last bit on the kind of processor it was recorded on.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return F.batch_norm(x, mean, variance, self.get_buffer("weight"), self.get_buffer("bias"), eps=1e-5)


class NormedConv(nn.Conv2d):
    """Convolution without bias, then FrozenBN."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = FrozenNorm(outputs)

    def forward(self, input: Tensor) -> Tensor:
        return self.norm(super().forward(input))


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, middle: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.shortcut = NormedConv(inputs, outputs, 1, stride) if inputs != outputs else nn.Identity()
        self.conv1 = NormedConv(inputs, middle, 1, stride)
        self.conv2 = NormedConv(middle, middle, 3)
        self.conv3 = NormedConv(middle, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv2(self.conv1(x).relu_()).relu_()
        return self.conv3(inner).add_(self.shortcut(x)).relu_()


class Stem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = NormedConv(3, 64, 7, 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.conv1(x).relu_(), 3, 2, padding=1)


class ResNet50(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.res2 = self._stage(3, 64, 64, 256, 1)
        self.res3 = self._stage(4, 256, 128, 512, 2)
        self.res4 = self._stage(6, 512, 256, 1024, 2)
        self.res5 = self._stage(3, 1024, 512, 2048, 2)

    @staticmethod
    def _stage(blocks: int, inputs: int, middle: int, outputs: int, stride: int) -> nn.Sequential:
        first = Bottleneck(inputs, middle, outputs, stride)
        return nn.Sequential(first, *(Bottleneck(outputs, middle, outputs, 1) for _ in range(blocks - 1)))

    def forward(self, x: Tensor) -> list[Tensor]:
        res2 = self.res2(self.stem(x))
        res3 = self.res3(res2)
        res4 = self.res4(res3)
        return [res2, res3, res4, self.res5(res4)]


class FeaturePyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bottom_up = ResNet50()
        for level, channels in enumerate((256, 512, 1024, 2048), start=2):
            self.add_module(f"fpn_lateral{level}", nn.Conv2d(channels, 256, 1))
            self.add_module(f"fpn_output{level}", nn.Conv2d(256, 256, 3, padding=1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(1, 3, H, W), sides multiples of 32 -> p2 .. p6, each (1, 256, H / stride, W / stride)."""
        pyramid: list[Tensor] = []
        inner: Tensor | None = None
        for level, features in zip((5, 4, 3, 2), reversed(self.bottom_up(x)), strict=True):
            lateral = self.get_submodule(f"fpn_lateral{level}")(features)
            inner = lateral if inner is None else lateral + F.interpolate(inner, scale_factor=2.0)
            pyramid.insert(0, self.get_submodule(f"fpn_output{level}")(inner))
        pyramid.append(pyramid[-1][:, :, ::2, ::2])
        return pyramid


class ProposalHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(256, 256, 3, padding=1)
        self.objectness_logits = nn.Conv2d(256, 3, 1)
        self.anchor_deltas = nn.Conv2d(256, 12, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """One level, (1, 256, h, w) -> logits (h w 3) and deltas (h w 3, 4), ordered by y, x, anchor."""
        hidden = self.conv(features).relu_()
        logits = self.objectness_logits(hidden)[0].permute(1, 2, 0).reshape(-1)
        deltas = self.anchor_deltas(hidden)[0].permute(1, 2, 0).reshape(-1, 4)
        return logits, deltas


class BoxHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(256 * 7 * 7, 1024)
        self.fc2 = nn.Linear(1024, 1024)

    def forward(self, pooled: Tensor) -> Tensor:
        return self.fc2(self.fc1(pooled.flatten(1)).relu_()).relu_()


class BoxPredictor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cls_score = nn.Linear(1024, 2)  # person, background
        self.bbox_pred = nn.Linear(1024, 4)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return self.cls_score(hidden), self.bbox_pred(hidden)


class Decoder(nn.Module):
    """Fuses p2 .. p5 into the one stride-4 map that the charts are read from."""

    def __init__(self) -> None:
        super().__init__()
        for level, blocks in ((2, 1), (3, 1), (4, 2), (5, 3)):
            layers = nn.Sequential()
            for block in range(blocks):  # the odd names belong to the upsampling, which has no weights
                layers.add_module(str(2 * block), nn.Conv2d(256, 256, 3, padding=1))
            self.add_module(f"p{level}", layers)
        self.predictor = nn.Conv2d(256, 256, 1)

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        fused = self.get_submodule("p2")(pyramid[0]).relu_()
        for level in (3, 4, 5):
            x = pyramid[level - 2]
            for layer in self.get_submodule(f"p{level}").children():
                x = _double(layer(x).relu_())
            fused += x
        return self.predictor(fused)


class ChartHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for index in range(1, 9):
            self.add_module(f"body_conv_fcn{index}", nn.Conv2d(256 if index == 1 else 512, 512, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = layer(x).relu_()
        return x


class ChartPredictor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name, channels in (("ann_index", 2), ("index_uv", 25), ("u", 25), ("v", 25)):
            self.add_module(f"{name}_lowres", nn.ConvTranspose2d(512, channels, 4, stride=2, padding=1))

    def forward(self, x: Tensor) -> list[Tensor]:
        return [_double(layer(x)) for layer in self.children()]


class RegionHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.box_head = BoxHead()
        self.box_predictor = BoxPredictor()
        self.decoder = Decoder()
        self.densepose_head = ChartHead()
        self.densepose_predictor = ChartPredictor()


class ProposalGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rpn_head = ProposalHead()


class DensePoseNetwork(nn.Module):
    """The whole model. Boxes are (x1, y1, x2, y2) in pixels of the network's input throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = FeaturePyramid()
        self.proposal_generator = ProposalGenerator()
        self.roi_heads = RegionHeads()

    def proposals(self, pyramid: list[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Candidate boxes, best first: boxes (n, 4) and logits (n,), n <= 1000, clipped to ``size``."""
        found: list[tuple[Tensor, Tensor]] = []
        for features, stride in zip(pyramid, STRIDES, strict=True):
            logits, deltas = self.proposal_generator.rpn_head(features)
            logits, order = logits.sort(descending=True, stable=True)
            logits, order = logits[:_PROPOSALS], order[:_PROPOSALS]
            grid = anchors(features.shape[-2:], stride, size=8 * stride, device=features.device)
            boxes = clip_to(apply_deltas(grid[order], deltas[order]), size)
            solid = ~is_empty(boxes)
            boxes, logits = boxes[solid], logits[solid]
            keep = non_maximum_suppression(boxes, 0.7)
            found.append((boxes[keep], logits[keep]))
        boxes, logits = (torch.cat(parts) for parts in zip(*found, strict=True))
        logits, order = logits.sort(descending=True, stable=True)
        return boxes[order[:_PROPOSALS]], logits[:_PROPOSALS]

    def people(
        self, pyramid: list[Tensor], proposals: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Boxes (n, 4) and scores (n,) of the people found, highest score first."""
        logits, deltas = self.classify(pyramid, proposals)
        scores = logits.softmax(dim=1)[:, 0]
        boxes = clip_to(apply_deltas(proposals, deltas, weights=(10.0, 10.0, 5.0, 5.0)), size)
        likely = scores > SCORE_THRESHOLD
        scores, order = scores[likely].sort(descending=True, stable=True)
        boxes = boxes[likely][order]
        keep = non_maximum_suppression(boxes, 0.5)[:_DETECTIONS]
        return boxes[keep], scores[keep]

    def classify(self, pyramid: list[Tensor], proposals: Tensor) -> tuple[Tensor, Tensor]:
        """Per proposal the logits (n, 2), person first, and the box deltas (n, 4)."""
        levels = levels_of(proposals)
        pooled = proposals.new_empty(len(proposals), 256, 7, 7)
        for level in range(2, 6):
            here = levels == level
            pooled[here] = roi_align(pyramid[level - 2], proposals[here], 7, 1 / STRIDES[level - 2])
        return self.roi_heads.box_predictor(self.roi_heads.box_head(pooled))

    def charts(self, decoded: Tensor, boxes: Tensor) -> list[Charts]:
        """Charts of each box, read from the map that ``roi_heads.decoder`` makes of the pyramid."""
        pooled = roi_align(decoded, boxes, 28, 1 / STRIDES[0])
        outputs = [
            self.roi_heads.densepose_predictor(self.roi_heads.densepose_head(one)) for one in pooled.split(1)
        ]
        return [Charts(*(output[0] for output in of_one)) for of_one in outputs]


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
