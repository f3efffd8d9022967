"""The people who are drawn: shape and skeleton (baked, from ``body.npz``), poses, parts, hair, as meshes."""
