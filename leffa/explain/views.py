"""The flow of a finished run, as pictures."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.explain import pictures
from leffa.model.confidence import confidence, worn
from leffa.model.flow import FlowField
from leffa.run.result import Result


def painted(result: Result) -> NDArray[np.float32]:
    """(H, W), 1 where the run was to paint, else 0."""
    return (result.mask > 127).astype(np.float32)


def shown_flow(result: Result, sample: int = 0, field: FlowField | None = None) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: where the flow means something: painted, on the garment, and gathered.

    field  another flow than the sample's merged one, at the photo's size
    """
    field = result.fields[sample] if field is None else field
    weight = painted(result) * confidence(field)
    if field.occupancy is not None:
        weight = weight * worn(field.occupancy)
    return weight.astype(np.float32)


def laid_flow(result: Result, sample: int = 0) -> tuple[FlowField, NDArray[np.float32]]:
    """The flow that the picture was made by, and where it lies, (H, W) in [0, 1].

    The refined flow and the silhouette where the picture was composed, else the attention flow.
    """
    if result.compositions:
        composition = result.compositions[sample]
        return composition.field, composition.silhouette
    return result.fields[sample], shown_flow(result, sample)


def flow_pictures(result: Result, sample: int = 0) -> dict[str, Image.Image]:
    """Pictures of a sample's flow, each at the photo's size but arrows and legend.

    overlay    the result in grey, coloured by where the attention of each place looks
    refined    the same by the refined flow; only of a composed picture
    legend     the reference in the same colours
    warped     the reference as the flow carries it into the photo
    arrows     result and reference with lines between them
    confidence, spread, mass  heat maps over the painted area, bright where attention is gathered in one
               place, where it is scattered, and where it goes to the reference
    """
    image, field, weight = result.images[sample], result.fields[sample], shown_flow(result, sample)
    inside = painted(result)
    laid, lies = laid_flow(result, sample)
    warped = pictures.warped_reference(np.asarray(result.reference), laid)

    def heat(values: NDArray[np.float32], high: float) -> Image.Image:
        return pictures.painted_area(result.photo, pictures.heat(values, 0, high), inside)

    return {
        "overlay": pictures.overlay(image, field, weight),
        **({"refined": pictures.overlay(image, laid, lies)} if result.compositions else {}),
        "legend": pictures.legend(result.reference),
        "warped": pictures.painted_area(result.photo, warped, lies),
        "arrows": pictures.arrows(image, result.reference, field, weight),
        "confidence": heat(confidence(field), 1),
        "spread": heat(field.spread.numpy(), 0.7),
        "mass": heat(field.mass.numpy(), 1),
    }
