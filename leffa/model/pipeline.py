"""LeffaPipeline: a reference UNet reads the garment (or the person), a generative UNet paints the person.

A diffusers ``DiffusionPipeline`` of stock parts, so saving, loading, device placement, offloading and the
progress bar come from the library. Section numbers refer to arXiv 2412.08486.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from leffa.config import DensePoseEncoding
from leffa.files import digest, in_words
from leffa.model import base_folder
from leffa.model.attention import (
    AttentionObserver,
    Bank,
    ReferenceReader,
    ReferenceWriter,
    StaticBank,
    install_processors,
    paint,
    read_reference,
)
from leffa.model.banks import ReadAhead, UnconditionalFeatures, stacked
from leffa.model.library import (
    AutoencoderKL,
    BaseOutput,
    DDPMScheduler,
    DiffusionPipeline,
    UNet2DConditionModel,
    randn_tensor,
    without_guiders,
)
from leffa.model.recorder import FlowOptions, FlowRecorder, SampleFlow
from leffa.model.sampling import Guidance, Inputs
from leffa.model.solvers import Solver

if TYPE_CHECKING:
    from leffa.model.solvers import Scheduler

DENSEPOSE_CHANNELS = 3
MASK_CHANNELS = 1
OFFICIAL_PREFIXES = {"unet": "unet", "reference_unet": "unet_encoder", "vae": "vae"}
"""Our module names -> the prefixes of the released state dicts."""


Pictures: TypeAlias = list[Image.Image] | NDArray[np.float32] | Tensor
Generator: TypeAlias = torch.Generator | list[torch.Generator] | None
StepCallback: TypeAlias = Callable[["LeffaPipeline", int, int, dict[str, Tensor]], dict[str, Tensor] | None]
Remember: TypeAlias = Callable[[str, Callable[[], Any]], Any]
"""Called with a name and a function; gives what the function gives, or gave when the name was last called."""


def _anew(name: str, find: Callable[[], Any]) -> Any:
    """A ``Remember`` that keeps nothing."""
    return find()


def _content(remember: Remember, *pictures: Tensor) -> str:
    """What pictures are remembered by; of a graphics card it must be waited for."""
    return "" if remember is _anew else digest(*(picture.cpu().numpy() for picture in pictures))


def _is_one(rows: Tensor) -> bool:
    """Whether all rows are the first one, by their strides."""
    return len(rows) > 1 and rows.stride(0) == 0


@dataclass
class LeffaOutput(BaseOutput):
    """What a call of the pipeline returns.

    images  output_type "pil": list of PIL pictures; "np": (B, H, W, 3) float32 in [0, 1];
            "pt": (B, 3, H, W) float32 in [0, 1]; "latent": (B, C, h, w)
    flow    one ``SampleFlow`` per picture if ``return_flow``, else None
    """

    images: Pictures
    flow: list[SampleFlow] | None = None


class LeffaPipeline(DiffusionPipeline):
    """Virtual try-on and pose transfer.

    vae              AutoencoderKL; any number of latent channels
    unet             generative UNet: input [noisy latents, mask, masked-image latents, densepose]
    reference_unet   UNet of the same shape, input the clean latents of the reference
    scheduler        DDPMScheduler
    densepose_encoding  condition the weights want, a ``DensePoseEncoding`` value; saved with them
    """

    model_cpu_offload_seq = "reference_unet->unet->vae"
    _callback_tensor_inputs = ("latents",)

    def __init__(
        self,
        vae: AutoencoderKL,
        unet: UNet2DConditionModel,
        reference_unet: UNet2DConditionModel,
        scheduler: DDPMScheduler,
        densepose_encoding: str = DensePoseEncoding.VITON_HD.value,
    ):
        super().__init__()
        for net in (unet, reference_unet):
            # SDXL's size and crop conditions are not used; the released weights still carry them.
            net.register_to_config(addition_embed_type=None)
        install_processors(unet, ReferenceReader)
        install_processors(reference_unet, ReferenceWriter)
        self.register_modules(vae=vae, unet=unet, reference_unet=reference_unet, scheduler=scheduler)
        self.register_to_config(densepose_encoding=DensePoseEncoding(densepose_encoding).value)
        self._interrupt = False

    # ------------------------------------------------------------------------------ making and loading

    @classmethod
    def from_base(cls, folder: str | Path, **config: Any) -> "LeffaPipeline":
        """Build from a diffusers folder of Stable Diffusion inpainting shape (1.5 or XL).

        folder  has ``scheduler/ vae/ unet/`` with configs; weight files are optional. Where present they are
                loaded: the 9-channel ``conv_in`` is widened with zeros for the generative UNet, and cut to
                the latent channels for the reference UNet.
        config  further settings of the pipeline, such as ``densepose_encoding``

        Raises WeightsError naming every file that is missing.
        """
        return cls(**base_folder.read(Path(folder)), **config)

    @classmethod
    def from_pretrained(cls, *folder: str | Path, **options: Any) -> "LeffaPipeline":
        """As ``DiffusionPipeline.from_pretrained``, without loading kinds of parts that it has not."""
        with without_guiders():
            pipeline: LeffaPipeline = super().from_pretrained(*folder, **options)
        return pipeline

    @classmethod
    def from_official(cls, folder: str | Path, weights: str | Path, **config: Any) -> "LeffaPipeline":
        """Build from the configs of a base folder and released weights, which are held in memory once only.

        As ``from_base(folder, **config).load_official(weights)``, but the parameters are the file's own
        tensors, in its dtype, and no weights of the base folder are read.
        """
        pipeline = cls(**base_folder.read(Path(folder), empty=True), **config)
        base_folder.load_official(pipeline._official_modules(), Path(weights), assign=True)
        return pipeline

    def load_official(self, path: str | Path) -> "LeffaPipeline":
        """Load released weights (``.pth``, read with ``weights_only=True``, or ``.safetensors``), strictly.

        Raises WeightsError listing what is missing, unexpected or of another shape; nothing is loaded then.
        """
        base_folder.load_official(self._official_modules(), Path(path))
        return self

    def _official_modules(self) -> dict[str, torch.nn.Module]:
        return {prefix: getattr(self, name) for name, prefix in OFFICIAL_PREFIXES.items()}

    def official_state_dict(self) -> dict[str, Tensor]:
        """All weights under the official names: ``unet.*``, ``unet_encoder.*``, ``vae.*``."""
        return {
            f"{prefix}.{key}": value
            for name, prefix in OFFICIAL_PREFIXES.items()
            for key, value in getattr(self, name).state_dict().items()
        }

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Save as a diffusers folder (safetensors), without SDXL's embedding weights, which nothing reads.

        Raises FileError where the system does not let it be written.
        """
        unused = {}
        for net in (self.unet, self.reference_unet):
            unused[net] = net._modules.pop("add_embedding", None)
        try:
            with in_words(Path(save_directory)):
                super().save_pretrained(save_directory, **kwargs)
        finally:
            for net, module in unused.items():
                if module is not None:
                    net._modules["add_embedding"] = module

    def enable_model_cpu_offload(
        self, gpu_id: int | None = None, device: torch.device | str | None = None
    ) -> None:
        """Keep the networks in main memory; each comes to the device when it runs. See ``bank_memory``.

        diffusers expects every network to run once, in the order of ``model_cpu_offload_seq``: the reference
        UNet would stay on the device beside the generative one from the second step on. Here each of the two
        sends the other away.
        """
        super().enable_model_cpu_offload(gpu_id, device)
        reference, generative = self._all_hooks[:2]
        reference.hook.prev_module_hook = generative

    # ------------------------------------------------------------------------------ parts of a step

    @property
    def downscale(self) -> int:
        """Pixels of a picture per latent, along each side."""
        halvings = len(self.vae.config.block_out_channels) - 1
        return 1 << halvings

    def _keep_vae_from_overflowing(self) -> None:
        """SDXL's VAE gives NaN in half precision; its config says so."""
        if self.vae.config.force_upcast and self.vae.dtype == torch.float16:
            self.vae.to(torch.float32)

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [-1, 1] -> latents (B, C, h, w), the mode of the posterior."""
        latents: Tensor = self.vae.encode(pictures.to(self.vae.dtype)).latent_dist.mode()
        latents = (latents - (self.vae.config.shift_factor or 0.0)) * self.vae.config.scaling_factor
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, C, h, w) -> pictures (B, 3, H, W) float32, clamped to [-1, 1]."""
        latents = latents / self.vae.config.scaling_factor + (self.vae.config.shift_factor or 0.0)
        pictures: Tensor = self.vae.decode(latents.to(self.vae.dtype)).sample
        return pictures.float().clamp(-1, 1)

    def condition(self, person: Tensor, mask: Tensor, densepose: Tensor) -> Tensor:
        """The constant part of the generative input: [mask, masked-image latents, densepose].

        person (B, 3, H, W) in [-1, 1], mask (B, 1, H, W), densepose (B, 3, H, W) in [-1, 1].
        The masked image is mid grey inside the mask; mask and densepose go to latent size by nearest
        resize, as the released weights were trained.
        """
        masked = self.encode(person * (mask < 0.5))
        mask, densepose = (
            F.interpolate(x, size=masked.shape[-2:], mode="nearest") for x in (mask, densepose)
        )
        return torch.cat([mask.to(masked.dtype), masked, densepose.to(masked.dtype)], dim=1)

    def read_reference(self, reference_latents: Tensor, timestep: Tensor | int) -> Bank:
        """Run the reference UNet on clean latents at ``timestep``; returns its bank."""
        return read_reference(self.reference_unet, reference_latents, timestep)

    def paint(
        self,
        generative_input: Tensor,
        timestep: Tensor | int,
        bank: Bank,
        observer: AttentionObserver | None = None,
    ) -> Tensor:
        """One forward of the generative UNet: (B, 2 C + 4, h, w) -> prediction (B, C, h, w)."""
        return paint(self.unet, generative_input, timestep, bank, observer)

    def predict_noise(
        self,
        generative_input: Tensor,
        timestep: Tensor | int,
        reference_latents: Tensor,
        observer: AttentionObserver | None = None,
    ) -> Tensor:
        """One forward of both UNets.

        generative_input   (B, 2 C + 4, h, w): [noisy latents, mask, masked-image latents, densepose]
        timestep           int, scalar or (B,) in [0, 1000)
        reference_latents  (B, C, h, w), clean; zeros where the reference is dropped
        observer           see ``AttentionObserver``

        Returns the prediction (B, C, h, w): noise, or v where the scheduler says so.
        """
        return self.paint(
            generative_input, timestep, self.read_reference(reference_latents, timestep), observer
        )

    # ------------------------------------------------------------------------------ sampling

    def interrupt(self) -> None:
        """Ask a running call, from its callback or another thread, to stop before its next step."""
        self._interrupt = True

    @torch.no_grad()
    def __call__(
        self,
        person: Tensor,
        reference: Tensor,
        mask: Tensor,
        densepose: Tensor,
        num_inference_steps: int = 30,
        guidance_scale: float = 2.5,
        guidance_rescale: float | None = None,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        solver: Solver | str = Solver.DDPM,
        generator: Generator = None,
        latents: Tensor | None = None,
        reuse_reference: bool = False,
        bank_memory: int = 0,
        unconditional: UnconditionalFeatures | None = None,
        remember: Remember = _anew,
        output_type: str = "pil",
        callback_on_step_end: StepCallback | None = None,
        return_flow: bool | FlowOptions = False,
        reference_mask: Tensor | None = None,
    ) -> LeffaOutput:
        """Paint ``reference`` onto ``person`` inside ``mask``.

        person, reference, densepose  (B, 3, H, W) float in [-1, 1]; H, W multiples of ``downscale``. Of a
                           picture ``leffa.images.to_tensor(picture)[None]`` makes one; densepose is the
                           body-part map in the encoding of the weights (``leffa.preprocess.encoding``). The
                           ``Engine`` takes pictures and does all this
        mask               (B, 1, H, W) float, 1 = paint: ``leffa.images.mask_to_tensor(mask)[None]``
        num_inference_steps  1 to 1000
        guidance_scale     1 or less switches guidance off; the unconditional branch sees reference latents
                           of zeros
        guidance_rescale   blend factor of the rescaled prediction (arXiv 2305.08891, section 3.4), 0 = off;
                           None = the guidance scale itself, as the released weights expect
        guidance_interval  shares of the run between which there is guidance, see ``Guidance``
        solver             how the steps are taken, see ``Solver``; flow start needs DDPM
        generator          one for the batch, or a list with one per sample; the only source of randomness
        latents            start noise (B, C, h, w) instead of drawing it
        reuse_reference    run the reference UNet once, at the middle timestep
        bank_memory        bytes of main memory for reference features read ahead (see ``ReadAhead``): under
                           model offload the UNets then change places once per stretch of steps and not in
                           every step. The picture stays the same
        unconditional      what earlier pictures of the same weights left for guidance, see
                           ``UnconditionalFeatures``; this one adds to it. The picture stays the same
        remember           keeps what follows from the pictures alone for later calls with the same weights on
                           the same device: what is encoded, and what the reference UNet reads. Names hold the
                           pictures' content; what is kept must not be changed. The picture stays the same
        output_type        "pil", "np", "pt" or "latent"
        callback_on_step_end  called as (pipeline, step, timestep, {"latents": latents}); may return a dict
                           with changed latents
        return_flow        True, or ``FlowOptions``: capture the attention flow while painting
        reference_mask     (B, 1, H, W), 1 = the garment, or the person, on the reference; adds occupancy
                           to the flow

        A batch whose rows are one tensor, expanded, is encoded once and its reference read once.

        Raises ValueError naming the argument that is wrong, before any work.
        """
        # 1. Check the arguments
        self._interrupt = False
        self.check_inputs(
            person, reference, mask, densepose, num_inference_steps, generator, latents, output_type
        )
        rescale = guidance_scale if guidance_rescale is None else guidance_rescale
        guidance = Guidance(guidance_scale, rescale, guidance_interval)
        scheduler = Solver(solver).scheduler(self.scheduler)
        self._keep_vae_from_overflowing()

        # 2. Encode the conditions; they are the same in every step
        device = self._execution_device  # which is looked for in all networks, anew each time
        inputs = self._inputs(device, person, reference, mask, densepose, reference_mask, remember)

        # 3. Timesteps and start noise
        # in main memory: a number that is asked of a graphics card waits for all that it has to do
        scheduler.set_timesteps(num_inference_steps, device="cpu")
        if latents is None:
            latents = self._noise(inputs, generator)
        latents = latents.to(device, inputs.condition.dtype) * scheduler.init_noise_sigma

        # 4. Who watches the attention
        every = [int(timestep) for timestep in scheduler.timesteps]
        guided = guidance.steps(len(every))
        options = FlowOptions() if return_flow is True else return_flow
        recorder = self._recorder(inputs, options, options.choose(every)) if options else None

        # 5. Denoise
        both = [any(guided)] * len(every) if reuse_reference else guided
        read = self._reader(inputs, every, both, unconditional or UnconditionalFeatures(), remember)
        banks: Sequence[Bank] | ReadAhead
        if reuse_reference:
            banks = self._static(read, guided, len(inputs.person))
        else:
            banks = ReadAhead(read, len(every), bank_memory, device)
        latents = self._denoise(
            scheduler, latents, inputs, guidance, banks, generator, recorder, callback_on_step_end
        )

        # 6. Decode
        images = latents if output_type == "latent" else self._pictures(self.decode(latents), output_type)
        flow = recorder.finish() if recorder else None
        self.maybe_free_model_hooks()
        return LeffaOutput(images=images, flow=flow)

    def _inputs(
        self,
        device: torch.device,
        person: Tensor,
        reference: Tensor,
        mask: Tensor,
        densepose: Tensor,
        reference_mask: Tensor | None,
        remember: Remember,
    ) -> Inputs:
        """Everything on the device, and encoded; rows that are the same by their strides once."""
        dtype, batch = self.unet.dtype, len(person)
        painted = 1 if all(_is_one(x) for x in (person, mask, densepose)) else batch
        read = 1 if _is_one(reference) else batch
        conditions = [x[:painted].to(device, torch.float32) for x in (person, mask, densepose)]
        reference = reference[:read].to(device, torch.float32)
        read_in = f"{_content(remember, reference)} {device} {dtype}"
        condition = remember(
            f"condition {_content(remember, *conditions)} {device} {dtype}",
            lambda: self.condition(*conditions).to(dtype),
        )
        latents = remember(f"reference {read_in}", lambda: self.encode(reference).to(dtype))
        return Inputs(
            person=conditions[0].expand(batch, -1, -1, -1),
            reference_mask=None if reference_mask is None else reference_mask.to(device, torch.float32),
            condition=condition.expand(batch, -1, -1, -1),
            reference_latents=latents,
            reference_name=read_in,
        )

    def _noise(self, inputs: Inputs, generator: Generator) -> Tensor:
        """(B, C, h, w) of standard normal noise."""
        shape = (len(inputs.person), self.vae.config.latent_channels, *inputs.condition.shape[-2:])
        noise: Tensor = randn_tensor(
            shape, generator=generator, device=inputs.condition.device, dtype=inputs.condition.dtype
        )
        return noise

    def _recorder(self, inputs: Inputs, options: FlowOptions, timesteps: set[int]) -> FlowRecorder:
        height, width = inputs.condition.shape[-2:]
        size = (inputs.person.shape[-2], inputs.person.shape[-1])
        return FlowRecorder(
            options, timesteps, len(inputs.person), (height, width), size, inputs.reference_mask
        )

    def _reader(
        self,
        inputs: Inputs,
        timesteps: list[int],
        guided: list[bool],
        unconditional: UnconditionalFeatures,
        remember: Remember,
    ) -> Callable[[int], Bank]:
        """What reads the reference for a step: the bank of all rows that are painted in it."""
        latents = inputs.reference_latents
        nothing = torch.zeros_like(latents[:1])
        on_device = torch.tensor(timesteps, device=latents.device)
        without = unconditional.of_run(
            nothing, timesteps, lambda step: self.read_reference(nothing, on_device[step])
        )

        def read(step: int) -> Bank:
            conditional = remember(
                f"features at {timesteps[step]} {inputs.reference_name}",
                lambda: self.read_reference(latents, on_device[step]),
            )
            return stacked(without(step) if guided[step] else None, conditional, len(inputs.person))

        return read

    def _static(self, read: Callable[[int], Bank], guided: list[bool], batch: int) -> list[Bank]:
        """The middle step's bank for each step."""
        full = StaticBank(read(len(guided) // 2))
        alone = StaticBank({layer: features[-batch:] for layer, features in full.items()})
        return [full if is_guided else alone for is_guided in guided]

    def _denoise(
        self,
        scheduler: "Scheduler",
        latents: Tensor,
        inputs: Inputs,
        guidance: Guidance,
        banks: Sequence[Bank] | ReadAhead,
        generator: Generator,
        recorder: FlowRecorder | None,
        callback: StepCallback | None,
    ) -> Tensor:
        """From noise (B, C, h, w) to the latents of a picture; unfinished after ``interrupt``."""
        timesteps = scheduler.timesteps
        on_device = timesteps.to(latents.device)
        guided = guidance.steps(len(timesteps))
        draws = {"generator": generator} if scheduler is self.scheduler else {}  # the others draw nothing
        with self.progress_bar(total=len(timesteps)) as progress:
            for step, timestep in enumerate(timesteps):
                if self._interrupt:
                    break
                observer = recorder.observer(int(timestep)) if recorder else None
                noisy = torch.cat([scheduler.scale_model_input(latents, timestep), inputs.condition], dim=1)
                noisy = torch.cat([noisy, noisy]) if guided[step] else noisy
                prediction = self.paint(noisy, on_device[step], banks[step], observer)
                prediction = guidance.combined(prediction) if guided[step] else prediction
                latents = scheduler.step(prediction, timestep, latents, **draws, return_dict=False)[0]
                if callback is not None:
                    changed = callback(self, step, int(timestep), {"latents": latents})
                    latents = (changed or {}).get("latents", latents)
                progress.update()
        return latents

    def _pictures(self, decoded: Tensor, output_type: str) -> Pictures:
        decoded = decoded / 2 + 0.5
        if output_type == "pt":
            return decoded
        array = decoded.cpu().permute(0, 2, 3, 1).numpy()
        if output_type == "np":
            return array
        return [Image.fromarray(picture) for picture in (array * 255).round().astype(np.uint8)]

    def check_inputs(
        self,
        person: Tensor,
        reference: Tensor,
        mask: Tensor,
        densepose: Tensor,
        num_inference_steps: int,
        generator: Generator,
        latents: Tensor | None,
        output_type: str,
    ) -> None:
        """Raise ValueError for what would fail later."""
        given = {"person": person, "reference": reference, "mask": mask, "densepose": densepose}
        for name, value in given.items():
            channels = MASK_CHANNELS if name == "mask" else 3
            if not isinstance(value, Tensor) or value.dim() != 4 or value.shape[1] != channels:
                got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                maker = "mask_to_tensor" if name == "mask" else "to_tensor"
                raise ValueError(
                    f"{name} must be a tensor (B, {channels}, H, W), got {got}: of a picture "
                    f"leffa.images.{maker}(picture)[None] makes one"
                )
            if not value.is_floating_point():
                values = "0 and 1" if name == "mask" else "[-1, 1]"
                raise ValueError(f"{name} must be a float tensor of {values}, got {value.dtype}")
            if (name != "reference" and value.shape[-2:] != person.shape[-2:]) or len(value) != len(person):
                raise ValueError(
                    f"batch and size must agree, but {name} is {tuple(value.shape)} "
                    f"and person is {tuple(person.shape)}"
                )
            if any(side % self.downscale or not side for side in value.shape[-2:]):
                raise ValueError(
                    f"both sides must be multiples of {self.downscale}, "
                    f"but {name} is {value.shape[-2]}x{value.shape[-1]}"
                )
        if not 1 <= num_inference_steps <= self.scheduler.config.num_train_timesteps:
            most = self.scheduler.config.num_train_timesteps
            raise ValueError(f"num_inference_steps must be 1 to {most}, got {num_inference_steps}")
        if isinstance(generator, list) and len(generator) != len(person):
            raise ValueError(f"generator is a list of {len(generator)} for a batch of {len(person)}")
        latent_size = (side // self.downscale for side in person.shape[-2:])
        shape = (len(person), self.vae.config.latent_channels, *latent_size)
        if latents is not None and tuple(latents.shape) != shape:
            raise ValueError(f"latents must be {shape}, got {tuple(latents.shape)}")
        if output_type not in ("pil", "np", "pt", "latent"):
            raise ValueError(f'output_type must be "pil", "np", "pt" or "latent", got {output_type!r}')
