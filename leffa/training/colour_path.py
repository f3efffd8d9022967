"""A start for a small VAE in which colour is there from the first step.

Drawn at random, a small VAE soon carries lightness and one colour axis and then stays without the other for
thousands of steps. Here three channels carry mean colours straight through: 8x8 means down, nearest pixels
up; everything else starts at random and learns what is missing. ``silu(x) - silu(-x) = x`` takes them through
the last activations, and channels of constant size keep the last norms from dividing by the contrast.
"""

import torch
from torch import nn

from leffa.model.library import AutoencoderKL, ResnetBlock2D

COLOURS = 3
CONSTANT = 3.0
GAIN = 3.0  # of the colours in the latents, to stand out from the noise of training


@torch.no_grad()
def lay_colour_path(vae: AutoencoderKL) -> AutoencoderKL:
    """Change the weights of an untrained VAE in place. It needs at least 16 channels everywhere."""
    encoder, decoder = vae.encoder, vae.decoder
    kept = list(range(COLOURS))

    _pass(encoder.conv_in, kept, kept)
    for block in encoder.down_blocks[:-1]:
        for resnet in block.resnets:
            _pass_resnet(resnet, kept, kept)
        _pass(block.downsamplers[0].conv, kept, kept, average=True)
    signed = _double(encoder.down_blocks[-1].resnets[0])
    for resnet in [*encoder.down_blocks[-1].resnets[1:], *encoder.mid_block.resnets]:
        _pass_resnet(resnet, signed, signed)
    _read_signed(encoder.conv_out, signed, encoder.conv_norm_out)
    encoder.conv_out.weight[kept] *= GAIN

    for conv in (vae.quant_conv, vae.post_quant_conv):
        nn.init.zeros_(conv.bias)
        conv.weight.copy_(torch.eye(conv.out_channels)[:, :, None, None])

    _pass(decoder.conv_in, kept, kept)
    decoder.conv_in.weight[kept] /= GAIN
    for resnet in decoder.mid_block.resnets:
        _pass_resnet(resnet, kept, kept)
    for block in decoder.up_blocks[:-1]:
        for resnet in block.resnets:
            _pass_resnet(resnet, kept, kept)
        _pass(block.upsamplers[0].conv, kept, kept)
    signed = _double(decoder.up_blocks[-1].resnets[0])
    for resnet in decoder.up_blocks[-1].resnets[1:]:
        _pass_resnet(resnet, signed, signed)
    _read_signed(decoder.conv_out, signed, decoder.conv_norm_out)
    return vae


def _pass(conv: nn.Conv2d, out: list[int], source: list[int], average: bool = False) -> None:
    """Output channels ``out`` become copies of the inputs ``source``, or their means over 2x2 pixels."""
    _clear(conv, out)
    for to, of in zip(out, source, strict=True):
        if average:  # diffusers pads right and below, so taps 0 and 1 are the pixels of the cell
            conv.weight[to, of, :2, :2] = 0.25
        else:
            middle = conv.kernel_size[0] // 2
            conv.weight[to, of, middle, middle] = 1


def _clear(conv: nn.Conv2d, out: list[int]) -> None:
    assert conv.bias is not None
    conv.weight[out] = 0
    conv.bias[out] = 0


def _pass_resnet(resnet: ResnetBlock2D, out: list[int], source: list[int]) -> None:
    """Channels go through the shortcut alone."""
    _clear(resnet.conv2, out)
    if resnet.conv_shortcut is not None:
        _pass(resnet.conv_shortcut, out, source)


def _double(resnet: ResnetBlock2D) -> list[int]:
    """From colours make colours, negated colours and constants; returns the channels, colours first.

    The first half of the channels, a whole number of norm groups, gets the colours, the second the negated.
    """
    if resnet.conv_shortcut is None:
        raise ValueError("the last block must change the number of channels")
    half = resnet.conv2.out_channels // 2
    positive = list(range(COLOURS))
    negative = [half + i for i in positive]
    constants = [COLOURS, COLOURS + 1, half + COLOURS, half + COLOURS + 1]
    _pass_resnet(resnet, positive + negative, positive + positive)
    resnet.conv_shortcut.weight[negative] *= -1
    _clear(resnet.conv2, constants)
    _clear(resnet.conv_shortcut, constants)
    resnet.conv_shortcut.bias[constants] = CONSTANT * torch.tensor([1.0, -1, 1, -1])
    return positive + negative + constants


def _read_signed(conv: nn.Conv2d, signed: list[int], norm: nn.GroupNorm) -> None:
    """The first outputs read colour minus negated colour, undoing about what the norm divides by."""
    outputs = list(range(COLOURS))
    _clear(conv, outputs)
    per_group = norm.num_channels // norm.num_groups
    scale = CONSTANT * (2 / per_group) ** 0.5
    middle = conv.kernel_size[0] // 2
    for i in outputs:
        conv.weight[i, signed[i], middle, middle] = scale
        conv.weight[i, signed[COLOURS + i], middle, middle] = -scale
