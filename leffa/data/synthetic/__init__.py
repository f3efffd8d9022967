"""Synthetic clothed people with exact ground truth: an endless stream of try-on samples and pose pairs.

The chain, one module each:

body         the baked human body: shape, facial expression, skeleton, skinning
poses        poses as joint angles; pose_library: our own poses
cloth        the meshes garments are cut from, their charts and skin weights
garments     garments as fields and shapes on those meshes; collars: collars and lapels
drape        how cloth leaves the body: hanging, sliding, folds
outfit       garments worn together: layering
hair         hair and shoes
wardrobe     random garments, haircuts and outfits
figure       a dressed, posed person, or a garment laid out, as meshes (mesh)
camera       the pinhole camera; raster: the z-buffer rasteriser
scene        who wears what, standing how, seen from where, drawn from a seed
gbuffer      what is seen at every pixel, before any light or colour; occlusion: shadows
landmarks    BlazePose landmarks of a picture; anatomy: parts and labels of the body
correspond   where a seen surface point lies in another picture
fabrics      cloth as a function of texture coordinates: patterns, details, textures, photographs
looks        colours of skin, hair and cloth, lights; skin: faces; backgrounds: what stands behind
shading      light and colour for a batch of G-buffers, on any torch device
damage       what a camera and a file format do to a picture
observation  what a detector and the masking code make of a rendered person
samples      all of it as ``leffa.data.sample.Sample``: pure functions and endless streams
cache        G-buffers on disk, shaded afresh on reading
folder       a VITON-HD-like folder of samples; pack: arrays for training; command: ``leffa synth``
people       samples rendered when they are asked for, as a map-style data set
bake         makes ``body.npz``; needed by maintainers only

Units are metres, y points up, a person in rest pose looks along +z. Pixels are (x, y) with the centre of
the first pixel at (0.5, 0.5).
"""

POSE_SHARE = 0.3  # of pose pairs, where both tasks are mixed
