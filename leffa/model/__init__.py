"""The model: two UNets joined by attention, their loss, and the loop that samples from them.

To change

how reference features enter   attention
what a flow is                 flow; recorder reads it while painting
the loss                       losses
the steps of sampling          pipeline, sampling, solvers; banks: what of the reference is read when
the shapes of the networks     presets, base_folder (Stable Diffusion folders)
"""
