"""The errors a user can meet. Each carries one sentence that says what is wrong and what would do."""


class LeffaError(ValueError):
    """Root of what the library raises on bad input; its text may be shown to a visitor as it is."""


class PictureError(LeffaError):
    """A picture that cannot be read, is too small or too large, or has the wrong size."""


class PersonError(LeffaError):
    """No person was found where one is needed."""


class WeightsError(LeffaError):
    """Weights are missing, corrupt, or do not fit the model."""


class FileError(LeffaError):
    """A file cannot be written, or must not be written over."""
