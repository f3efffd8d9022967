"""From flow to picture: what is real stays real, the garment is laid sharply, and only the rest is painted.

The final picture is the photo, except where the new garment lies and where the old one was and the new one is
not. So the photo is read (``PhotoParser``), the attention flow is refined to the pixel and the new silhouette
decided (``Refinement``), what neither covers is painted (``Filling``), and all of it is put together at the
photo's own size. Ours, not the paper's.

    canvas    the networks' frame, the working size, the photo's own, and the ways between
    reading   what the photo shows
    edges     where that ends, at the photo's own size
    flows     the refined flow and the silhouette
    length, width  how far down a garment reaches, how wide a skirt falls
    steady    the flow at an end of a garment, without its waves
    necks, sleeves, hems, legs  ends of a garment as its product shot has them
    shot      where its sleeves are on that
    bent      long sleeves along bent arms
    waists    where a top ends that is tucked in, and where trousers begin
    behind    what is seen where the old garment was and the new one is not
    limbs, bare  outlines of painted arms and legs; what is beside arms that are seen
    cloth     the product shot's colours
    labels    a maker's label in its neck
    laying, pose   the two tasks
    wearer    a garment that somebody wears on its picture
    networks  where the small networks come from
"""

from PIL import Image

from leffa.composition.canvas import Working
from leffa.composition.flows import refine
from leffa.composition.laying import try_on
from leffa.composition.length import of_its_length
from leffa.composition.networks import Networks
from leffa.composition.pose import pose_transfer
from leffa.composition.reading import Reading, read_photo, with_worn
from leffa.composition.scene import Composition, Scene
from leffa.composition.width import of_its_width
from leffa.model.flow import FlowField

__all__ = ["Composition", "Reading", "Scene", "compose", "read_photo", "with_worn"]


def compose(
    scene: Scene, attention: FlowField, networks: Networks, painted: Image.Image | None = None
) -> Composition:
    """Put the picture together.

    attention  merged flow of the run, (h, w) in the model's frame, with occupancy
    painted    at the photo's size: a painter's picture to take the repainted area from; None lays the warped
               reference and fills the rest
    """
    working = Working.of(scene.region)
    refined = refine(scene, attention, networks)
    if scene.garment is None:
        return pose_transfer(scene, working, refined)
    return try_on(scene, working, of_its_width(scene, of_its_length(scene, refined)), networks, painted)
