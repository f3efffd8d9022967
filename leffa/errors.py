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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is how torch, or Python, says that memory has run out, on any device."""
    import torch

    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
