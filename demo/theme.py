"""The looks: a quiet neutral page, one accent, system fonts. Nothing is fetched from anywhere."""

import gradio as gr
from gradio.themes.utils import colors, sizes

from demo.parts import static_text

# from 50, the lightest, to 950
_INK = colors.Color(
    "#f6f7f9", "#eef0f3", "#dfe3e8", "#c8ced6", "#98a1ad", "#66707d",
    "#4d5662", "#373f4a", "#232a33", "#171c23", "#0f1318", "ink",
)  # fmt: skip
_BLUE = colors.Color(
    "#eef1ff", "#dfe5ff", "#c3cdff", "#9fadff", "#7d8cf8", "#4f5fe0",
    "#3f4dc9", "#343fa6", "#2c3585", "#272f6b", "#181c42", "accent",
)  # fmt: skip
_SANS = [
    "-apple-system", "BlinkMacSystemFont", "Segoe UI", "Inter", "Roboto", "Noto Sans", "Noto Sans CJK SC",
]  # fmt: skip
_MONO = ["ui-monospace", "SF Mono", "Cascadia Mono", "Roboto Mono", "Noto Sans Mono", "monospace"]


def theme() -> gr.themes.Base:
    """The theme of the page, light and dark."""
    return gr.themes.Base(
        primary_hue=_BLUE,
        secondary_hue=_BLUE,
        neutral_hue=_INK,
        radius_size=sizes.radius_lg,
        spacing_size=sizes.spacing_md,
        text_size=sizes.text_md,
        font=[gr.themes.Font(name) for name in (*_SANS, "sans-serif")],
        font_mono=[gr.themes.Font(name) for name in _MONO],
    ).set(
        body_background_fill="#f4f5f7",
        body_background_fill_dark="#0f1215",
        block_background_fill="#ffffff",
        block_background_fill_dark="#171b20",
        block_border_width="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_weight="500",
        border_color_primary="#dfe3e8",
        border_color_primary_dark="#2a3038",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#171b20",
        background_fill_secondary="#f6f7f9",
        background_fill_secondary_dark="#1d2228",
        input_background_fill="#f6f7f9",
        input_background_fill_dark="#1d2228",
        body_text_color="#1b2027",
        body_text_color_dark="#e8eaee",
        body_text_color_subdued="#596270",
        body_text_color_subdued_dark="#9aa4b1",
        block_title_text_color="#3a434e",
        block_title_text_color_dark="#c5ccd6",
        block_info_text_color="#596270",
        block_info_text_color_dark="#9aa4b1",
        button_primary_background_fill="#3f4dc9",
        button_primary_background_fill_hover="#343fa6",
        button_primary_background_fill_dark="#4f5fe0",
        button_primary_background_fill_hover_dark="#4655d4",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_secondary_background_fill="#eef0f3",
        button_secondary_background_fill_dark="#232a33",
        button_border_width="0px",
        button_large_radius="10px",
        slider_color="#4f5fe0",
        slider_color_dark="#7d8cf8",
    )


def style() -> str:
    """The style sheet beyond the theme."""
    return static_text("style.css")
