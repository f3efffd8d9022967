"""From a photo to the conditions of the model: landmarks, silhouette, body parts, parsing, masks."""
