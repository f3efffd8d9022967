"""The pipelines in memory: placed where they fit, and made smaller when they do not."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError

from leffa.errors import LeffaError, WeightsError, is_out_of_memory
from leffa.intactness import faults_in, how_to_mend
from leffa.model.banks import UnconditionalFeatures
from leffa.model.pipeline import LeffaOutput, LeffaPipeline
from leffa.run.findings import Findings
from leffa.run.machine import Machine, inspect
from leffa.run.placement import (
    Memory,
    Needs,
    Placement,
    choose,
    place,
    quantize,
    release_memory,
)
from leffa.weights.models import Model

_BROKEN = (
    *(OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, RuntimeError),
    *(ImportError, SafetensorError),
)
"""What diffusers and torch raise of descriptions that make no sense."""
_BANK_SHARE = 0.5  # of the free main memory, for reference features read ahead
_UNCONDITIONAL_SHARE = 0.2  # of the device's free memory, for features that serve every picture


@dataclass
class _Loaded:
    pipeline: LeffaPipeline
    placement: Placement
    needs: Needs
    unconditional: UnconditionalFeatures


class Pipelines:
    """Loads models when they are asked for and runs them. Thread-safe: one run at a time.

    device  "auto", or a torch device such as "cpu", "cuda", "mps"
    memory  "auto", or a ``Memory`` mode
    """

    def __init__(self, device: str = "auto", memory: str = "auto"):
        if memory != "auto" and memory not in {mode.value for mode in Memory}:
            known = ", ".join(mode.value for mode in Memory)
            raise LeffaError(f"unknown memory mode {memory!r}: there are auto, {known}")
        self._device, self._memory = device, memory
        self._loaded: dict[str, _Loaded] = {}
        self._lock = threading.Lock()  # a pipeline's scheduler holds the state of one run

    def machine(self) -> Machine:
        """The machine as it is now, with the device that is used."""
        return inspect(self._device)

    def run(
        self, model: Model, samples: int, inputs: Callable[[], dict[str, Any]], findings: Findings
    ) -> tuple[LeffaOutput, list[str]]:
        """Call the model's pipeline with ``inputs()``; returns its output and notes for the user.

        findings  keep what follows from the pictures alone, where memory allows it

        Out of memory, the run is repeated in the next smaller mode, with inputs made anew. Raises LeffaError
        if there is none, WeightsError if the weights cannot be read.
        """
        notes: list[str] = []
        with self._lock:
            while True:
                placement = self._loaded[model.name].placement if model.name in self._loaded else None
                try:
                    loaded = self._ready(model, samples)
                    placement = loaded.placement
                    return loaded.pipeline(**inputs(), **self._extra(model, loaded, findings)), notes
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                # Not in the except block: the traceback would keep the tensors of the failed run.
                notes.append(self._shrink(model, placement or self._choose(model, samples)[0]))

    def placement(self, model: Model, samples: int = 1) -> Placement:
        """How the model would run now."""
        with self._lock:
            if model.name in self._loaded:
                return self._loaded[model.name].placement
            return self._choose(model, samples)[0]

    def _ready(self, model: Model, samples: int) -> _Loaded:
        loaded = self._loaded.get(model.name)
        if loaded is not None and math.prod(model.size) > loaded.needs.pixels:
            del self._loaded[model.name], loaded  # it was placed for smaller pictures
            release_memory()
        if model.name not in self._loaded:
            placement, needs = self._choose(model, samples)
            if self._loaded and self._is_squeezed(placement, needs):
                self._loaded.clear()  # memory is short: only the chosen task stays
                release_memory()
                placement, needs = self._choose(model, samples)
            pipeline = _load(model, placement, needs)
            place(pipeline, placement)
            self._loaded[model.name] = _Loaded(pipeline, placement, needs, self._unconditional(placement))
        return self._loaded[model.name]

    def _choose(self, model: Model, samples: int) -> tuple[Placement, Needs]:
        check_intact(model)
        try:
            needs = Needs.of(model.folder, model.size, samples)
        except _BROKEN as error:
            raise _unreadable(model, error) from error
        return choose(self.machine(), needs, self._memory), needs

    def _is_squeezed(self, placement: Placement, needs: Needs) -> bool:
        """Whether the model would run better with the others gone."""
        is_chosen_small = self._memory == "auto" and placement.memory is not Memory.PLAIN
        return is_chosen_small or self.machine().free < needs.memory(placement)

    def _shrink(self, model: Model, placement: Placement) -> str:
        """Bring the model into the next smaller way; a sentence for the user."""
        smaller = placement.smaller()
        if smaller is None:
            self._loaded.clear()
            release_memory()
            raise LeffaError(
                f"there is too little memory for {model.name} on {placement.device}: close other programs, "
                "take fewer samples, or another device"
            )
        is_final = placement.memory is Memory.EIGHT_BIT  # there is no way back from it
        others = [name for name in self._loaded if is_final or name != model.name]
        for name in others:
            del self._loaded[name]
        release_memory()
        loaded = self._loaded.get(model.name)
        if loaded is not None:
            place(loaded.pipeline, smaller)
            loaded.placement = smaller
            loaded.unconditional = UnconditionalFeatures()
        else:
            self._loaded[model.name] = self._load_in(model, smaller)
        release_memory()
        return (
            f"Memory ran out on {placement.device} in the mode {placement.memory.value!r}; "
            f"the picture was made in {smaller}, which is slower."
        )

    def _load_in(self, model: Model, placement: Placement) -> _Loaded:
        needs = Needs.of(model.folder, model.size)
        pipeline = _load(model, placement, needs)
        place(pipeline, placement)
        return _Loaded(pipeline, placement, needs, UnconditionalFeatures())

    def _unconditional(self, placement: Placement) -> UnconditionalFeatures:
        """Room for what guidance reads in every picture, where memory allows it."""
        is_roomy = placement.memory is Memory.PLAIN
        return UnconditionalFeatures(int(_UNCONDITIONAL_SHARE * self.machine().free) if is_roomy else 0)

    def _extra(self, model: Model, loaded: _Loaded, findings: Findings) -> dict[str, Any]:
        """While networks take turns on the device, features are read ahead as far as main memory goes."""
        if loaded.placement.memory is Memory.OFFLOAD:
            return {"bank_memory": int(_BANK_SHARE * self.machine().ram_free)}
        if loaded.placement.memory is not Memory.PLAIN:
            return {"unconditional": loaded.unconditional}

        def remember(name: str, find: Callable[[], Any]) -> Any:
            return findings.remember(f"{model.name} {name}", find)

        return {"unconditional": loaded.unconditional, "remember": remember}


def check_intact(model: Model) -> None:
    """Raise WeightsError for files that are not what they should be; it says what they are instead."""
    if faults := faults_in(model.folder):
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise WeightsError(f"{model.folder.parent / faults[0]}{more}: {how_to_mend(model.fetch is None)}")


def _load(model: Model, placement: Placement, needs: Needs) -> LeffaPipeline:
    import torch

    vae_dtype: torch.dtype = getattr(torch, needs.of_vae_in(placement.dtype))
    try:
        networks = _quantized(model, placement) if placement.memory is Memory.EIGHT_BIT else {}
        pipeline: LeffaPipeline = LeffaPipeline.from_pretrained(
            model.folder,
            dtype={"default": placement.torch_dtype, "vae": vae_dtype},
            use_safetensors=True,  # never a pickle
            **networks,
        )
    except WeightsError:
        raise
    except _BROKEN as error:
        if is_out_of_memory(error):
            raise
        raise _unreadable(model, error) from error
    for name in ("unet", "reference_unet", "vae"):
        if name not in networks:  # those in 8 bits were looked at before
            _check_numbers(model, name, getattr(pipeline, name))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _check_numbers(model: Model, name: str, network: Any) -> None:
    """Raises WeightsError, with the tensor's name, for weights that are not finite, or nearly all zero."""
    import torch

    matrices = [(key, value) for key, value in network.named_parameters() if value.ndim > 1]
    for key, value in network.named_parameters():
        if not torch.isfinite(value).all():
            raise WeightsError(
                f"{name}.{key} in {model.folder} holds numbers that are not finite: fetch the weights again"
            )
    empty = [key for key, value in matrices if not value.any()]
    if 2 * len(empty) > len(matrices):
        raise WeightsError(
            f"{len(empty)} of {len(matrices)} tensors of {name} in {model.folder} are all zero, the "
            f"first of them {empty[0]}: fetch the weights again"
        )


def _quantized(model: Model, placement: Placement) -> dict[str, Any]:
    """Both UNets in 8 bits, one after the other, so that never both are in memory as they are on the disk."""
    from leffa.model.library import UNet2DConditionModel

    networks = {}
    for name in ("reference_unet", "unet"):
        networks[name] = UNet2DConditionModel.from_pretrained(
            model.folder / name, torch_dtype=placement.torch_dtype, use_safetensors=True
        )
        _check_numbers(model, name, networks[name])
        quantize(networks[name])
    return networks


def _unreadable(model: Model, error: Exception) -> WeightsError:
    return WeightsError(
        f"the weights in {model.folder} cannot be read ({type(error).__name__}): "
        f"{how_to_mend(model.fetch is None)}"
    )
