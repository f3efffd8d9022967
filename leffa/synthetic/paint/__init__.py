"""Colours: fabrics and their patterns, skin, backgrounds, light, and what a camera does to them."""
