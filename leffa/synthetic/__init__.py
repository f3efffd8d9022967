"""Synthetic clothed people with exact ground truth: an endless stream of try-on samples and pose pairs.

The chain, one room or module each:

body/        who is drawn: baked (shape, expression, skeleton, skinning), poses and pose_library, hair (and
             shoes), figure (a dressed, posed person, or a garment laid out, as a mesh), landmarks, anatomy
             (parts and labels)
cloth/       what they wear: meshes (what garments are cut from), garments, collars, drape (hanging, sliding,
             folds), outfit (layers), wardrobe (random garments, haircuts and outfits)
paint/       colours: fabrics (patterns, details, textures, photographs), looks, skin, backgrounds, damage
render/      from meshes to pixels: camera, raster (and shadows), gbuffer (what is seen, before any light),
             shading, correspond (where a seen surface point lies in another picture)
lent/        photographs of real garments that stand for product shots, the correspondence still exact
identity     the settings, the splits, the random streams, and who may stand in a picture
scene        who wears what, standing how, seen from where, drawn from a seed
observation  what a detector and the masking code make of a rendered person
samples      all of it as ``leffa.data.sample.Sample``: pure functions of a number, and as a data set
folder       a VITON-HD-like folder of samples; pack: arrays for training; command: ``leffa synth``

Units are metres, y points up, a person in rest pose looks along +z. Pixels are (x, y) with the centre of
the first pixel at (0.5, 0.5).
"""

POSE_SHARE = 0.3  # of pose pairs, where both tasks are mixed
