"""Synthetic clothed people with exact ground truth: an endless stream of try-on samples and pose pairs.

The chain, one module each:

body         the baked human body: shape, facial expression, skeleton, skinning, landmarks
poses        poses as joint angles
cloth        the meshes garments are cut from, their charts and skin weights
garments     garments as fields and displacements on those meshes; layering
hair         hair and shoes
camera       the pinhole camera
raster       the z-buffer rasteriser
scene        who wears what, standing how, seen from where, drawn from a seed
gbuffer      what is seen at every pixel, before any light or colour
correspond   where a seen surface point lies in another picture
fabrics      cloth as a function of the garment's texture coordinates
backgrounds  what stands behind people and product shots
shading      light and colour for a batch of G-buffers, on any torch device
damage       what a camera and a file format do to a picture
samples      G-buffers and shading put together as ``leffa.data.sample.Sample``
folder       a VITON-HD-like folder of samples

Units are metres, y points up, a person in rest pose looks along +z. Pixels are (x, y) with the centre of
the first pixel at (0.5, 0.5).
"""
