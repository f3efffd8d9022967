"""Three small models, small data and small latents on which the loss can be tried in minutes on a CPU."""
