"""From meshes to pixels: camera, rasteriser, G-buffer, shadows, shading, and correspondence."""
