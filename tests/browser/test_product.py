"""What makes the page a product: mask, stop, inspector, history, languages, phone, dark, access."""

import json
import time

import pytest
from browsing import download, generate, upload, wait_for_text
from PIL import Image

from leffa.model.pipeline import LeffaPipeline

pytestmark = pytest.mark.browser


def filled(page, pictures):
    upload(page, "photo", pictures.person)
    upload(page, "garment", pictures.garment)
    page.wait_for_selector("#try_on-go:not([disabled])")
    return page


def percent(page) -> float:
    return float(page.inner_text("#mask .lf-share").split()[0])


def wait_for_mask(page, changed_from: float | None = None, to: float | None = None) -> float:
    """Wait until the masked share is another than it was, or the one that it is to be; returns it."""
    page.wait_for_function(
        """([from, to]) => { const share = parseFloat(document.querySelector('#mask .lf-share').textContent);
        return to === null ? share !== from : share === to; }""",
        arg=[changed_from, to],
    )
    return percent(page)


def paint(page, start, end) -> None:
    box = page.locator("#mask canvas").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


def test_the_mask_is_painted_erased_undone_and_used(visit, pictures):
    page = filled(visit(), pictures)
    automatic = percent(page)
    paint(page, (0.1, 0.9), (0.9, 0.9))
    painted = percent(page)
    assert painted > automatic + 1
    page.click("#mask [data-do=eraser]")
    paint(page, (0.3, 0.5), (0.7, 0.5))
    assert percent(page) < painted - 1
    page.click("#mask [data-do=undo]")
    assert percent(page) == painted
    page.locator("#mask canvas").focus()
    page.keyboard.press("Control+z")
    assert percent(page) == automatic
    page.click("#sleeve label:has-text('None')")
    assert wait_for_mask(page, changed_from=automatic) < automatic
    page.click("#mask [data-do=parts]")
    assert page.get_attribute("#mask [data-do=parts]", "aria-pressed") == "true"


def test_the_keyboard_paints_too(visit, pictures):
    page = filled(visit(), pictures)
    automatic = percent(page)
    page.locator("#mask canvas").focus()
    for key in ["Shift+ArrowDown"] * 9 + [" "]:
        page.keyboard.press(key)
    assert percent(page) > automatic


@pytest.fixture
def unhurried(monkeypatch):
    """Every step takes a while, however fast the machine: there is time to stop."""
    paint = LeffaPipeline.paint

    def slow(self, *arguments, **options):
        time.sleep(0.5)
        return paint(self, *arguments, **options)

    monkeypatch.setattr(LeffaPipeline, "paint", slow)


def test_stop_ends_a_run(visit, pictures, unhurried):
    page = filled(visit(), pictures)
    page.locator(".lf-more button:visible").first.click()
    page.fill("#try_on-steps input[type=number]", "100")
    page.keyboard.press("Tab")
    page.click("#try_on-go:not([disabled])")
    page.wait_for_selector("#try_on-stop")
    page.wait_for_selector("#try_on-viewer [data-state=running] .lf-after[src]", state="attached")
    page.click("#try_on-stop")
    page.wait_for_selector("#try_on-viewer [data-state=stopped]", state="attached")
    assert page.is_enabled("#try_on-go")


def test_a_click_is_followed_both_ways(visit, pictures):
    page = filled(visit(), pictures)
    assert generate(page) == "done"
    page.wait_for_selector("#try_on-inspector .lf-inspect:not([hidden])")
    page.click("#try_on-inspector [data-side=result]")
    page.wait_for_selector("#try_on-inspector .lf-middle", state="attached")
    assert "looks at" in page.inner_text("#try_on-inspector .lf-told")
    assert page.locator("#try_on-inspector .lf-place").count() > 1
    page.click("#try_on-inspector [data-side=reference]")
    page.wait_for_function(
        "() => /went to|No place/.test(document.querySelector('#try_on-inspector .lf-told').textContent)"
    )
    before = page.get_attribute("#try_on-inspector [data-side=result] img", "src")
    page.locator("#try_on-inspector .lf-layer").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('#try_on-inspector [data-side=result] img').src !== before",
        arg=before,
    )
    assert "●" in page.inner_text("#try_on-inspector .lf-layer-name")


def test_history_and_png_bring_a_run_back(visit, pictures, tmp_path):
    page = filled(visit(accept_downloads=True), pictures)
    automatic = percent(page)
    page.click("#kind label:has-text('Dress')")
    whole = wait_for_mask(page, changed_from=automatic)
    page.click("#sleeve label:has-text('None')")
    sleeveless = wait_for_mask(page, changed_from=whole)
    paint(page, (0.1, 0.95), (0.4, 0.95))
    masked = wait_for_mask(page, changed_from=sleeveless)
    assert generate(page) == "done"
    page.wait_for_selector("#try_on-history .lf-thumb")
    file = download(page, "try_on", tmp_path)
    assert file.name.startswith("leffa-try-on-") and file.suffix == ".png"
    with Image.open(file) as opened:
        opened.load()
        record = json.loads(opened.info["leffa"])
        assert opened.size == Image.open(pictures.person).size
    assert record["choices"]["kind"] == "dress" and len(record["choices"]["strokes"]) == 1

    page.click("#kind label:has-text('Top')")
    page.click("#mask [data-do=reset]")
    page.click("#try_on-history .lf-thumb")
    page.wait_for_selector("#kind label.selected:has-text('Dress')")
    page.wait_for_selector("#sleeve label.selected:has-text('None')")
    wait_for_mask(page, to=masked)

    fresh = visit()
    with fresh.expect_file_chooser() as choosing:
        fresh.click("#try_on-restore")
    choosing.value.set_files(file)
    fresh.wait_for_selector("#try_on-history-note .lf-warn:has-text('photo, garment')")
    fresh.wait_for_selector("#kind label.selected:has-text('Dress')")
    upload(fresh, "photo", pictures.person)
    wait_for_text(fresh, "#photo-note .lf-note", "same picture")
    wait_for_mask(fresh, to=masked)

    other = visit()
    upload(other, "photo", file)
    other.click("#photo-note button:has-text('Restore its run')")
    other.wait_for_selector("#kind label.selected:has-text('Dress')")


def test_an_empty_mask_is_told_before_a_run(visit, pictures):
    page = filled(visit(), pictures)
    page.fill("#mask .lf-size", "12")
    page.click("#mask [data-do=eraser]")
    for height in range(10):
        paint(page, (0, height / 9), (1, height / 9))
    wait_for_text(page, "#try_on-reason .lf-note", "mask is empty")
    assert page.is_disabled("#try_on-go")
    page.click("#mask [data-do=reset]")
    page.wait_for_selector("#try_on-go:not([disabled])")


def test_a_result_goes_on_in_the_other_tab(visit, pictures):
    page = filled(visit(), pictures)
    assert generate(page) == "done"
    page.click("#try_on-viewer [data-act=hand_over]")
    page.wait_for_selector("#person img[src*='/file=']")
    assert page.get_by_role("tab", name="Change pose").get_attribute("aria-selected") == "true"


def test_two_visitors_share_nothing(visit, pictures):
    one, other = visit(), visit()
    filled(one, pictures)
    assert generate(one) == "done"
    assert other.is_disabled("#try_on-go")
    assert other.locator("#try_on-history .lf-thumb").count() == 0
    assert other.get_attribute("#try_on-viewer .lf-frame", "data-state") == "empty"


def test_chinese_and_back(visit, pictures):
    page = visit(locale="zh-CN")
    page.wait_for_selector("#try_on-go:has-text('生成')")
    page.get_by_role("tab", name="换姿势").click()
    wait_for_text(page, "#body .lf-empty", "选择姿势")
    page.get_by_role("tab", name="试穿").click()
    page.set_input_files("#photo input[type=file]", pictures.person)
    wait_for_text(page, "#photo-note .lf-note", "已找到人物")
    page.click("#language")
    page.wait_for_selector("#try_on-go:has-text('Generate')")
    wait_for_text(page, "#photo-note .lf-note", "Person found")


@pytest.mark.parametrize(
    "options", [{"viewport": {"width": 390, "height": 844}, "has_touch": True}, {"color_scheme": "dark"}]
)
def test_phone_and_dark_show_everything_without_scrolling_sideways(visit, options):
    page = visit(**options)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for selector in ("#photo", "#garment", "#mask", "#try_on-go"):
        assert page.locator(selector).bounding_box()["width"] > 150
    if options.get("color_scheme") == "dark":
        shade = page.evaluate("getComputedStyle(document.querySelector('.lf-step')).backgroundColor")
        assert sum(int(part) for part in shade[4:-1].split(",")) < 200


def test_a_phone_makes_a_picture_and_follows_a_tap(visit):
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True)
    page.tap("#garments .lf-thumb >> nth=0")
    page.wait_for_selector("#try_on-go:not([disabled])")
    assert generate(page) == "done"
    page.wait_for_selector("#try_on-inspector .lf-inspect:not([hidden])")
    page.tap("#try_on-inspector [data-side=result]")
    page.wait_for_selector("#try_on-inspector .lf-middle", state="attached")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(visit, pictures, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = filled(visit(color_scheme=scheme), pictures)
    assert generate(page) == "done"
    page.wait_for_selector("#try_on-inspector .lf-inspect:not([hidden])")
    found = axe.run(page).response["violations"]
    serious = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    told = [(fault["id"], [node["html"][:120] for node in fault["nodes"][:3]]) for fault in serious]
    assert not told
