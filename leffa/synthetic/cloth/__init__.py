"""What they wear: cloth meshes, garments cut from them, how they hang, and outfits drawn at random."""
