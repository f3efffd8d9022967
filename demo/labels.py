"""Components that speak the visitor's language: their texts now, and again when the language changes."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from demo import parts
from demo.texts import say, words

Texts = Callable[[str], dict[str, Any]]


class Labels:
    """The texts of all components of a page. Components are made here, with their texts as arguments:

    Gradio makes them anew from their arguments with every update, so nothing set later would last.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[Any, Texts]] = []

    def add(self, make: Callable[..., Any], texts: Texts, **options: Any) -> Any:
        """A component with the properties ``texts(language)`` beside its options."""
        component = make(**options, **texts("en"))
        self._entries.append((component, texts))
        return component

    def say(self, make: Callable[..., Any], keys: dict[str, str], **options: Any) -> Any:
        """A component whose properties are the texts of these keys."""
        return self.add(
            make, lambda language: {name: say(language, key) for name, key in keys.items()}, **options
        )

    def words(self, make: Callable[..., Any], prefix: str, names: dict[str, str], **options: Any) -> Any:
        """A component of ours with its ``words``: its own names to keys that share a prefix."""
        keys = {name: prefix + key for name, key in names.items()}
        return self.add(make, lambda language: {"words": words(language, keys)}, **options)

    def choices(
        self, make: Callable[..., Any], label: str, prefix: str, values: tuple[str, ...], **options: Any
    ) -> Any:
        """A radio or checkbox group: a text for each of its values."""

        def texts(language: str) -> dict[str, Any]:
            return {
                "label": say(language, label),
                "choices": [(say(language, prefix + value), value) for value in values],
            }

        return self.add(make, texts, **options)

    def segments(
        self, name: str, values: tuple[str, ...], value: str, elem_id: str, visible: bool = True
    ) -> Any:
        """Buttons side by side, one of which is pressed; their texts are ``name_value``."""
        look = {"elem_classes": "lf-segments", "elem_id": elem_id}
        return self.choices(parts.Buttons, name, f"{name}_", values, value=value, visible=visible, **look)

    @property
    def components(self) -> list[gr.blocks.Block]:
        return [component for component, _ in self._entries]

    def updates(self, language: str) -> list[dict]:
        """What to send to ``components`` so that all of them speak a language."""
        return [gr.update(**texts(language)) for _, texts in self._entries]
