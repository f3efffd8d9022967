"""Both tasks from upload to result, as a visitor walks them."""

import pytest
from browsing import download, generate, upload, wait_for_text
from PIL import Image

pytestmark = pytest.mark.browser


def test_try_on(visit, pictures):
    page = visit()
    assert page.is_disabled("#try_on-go")
    upload(page, "photo", pictures.person)
    assert page.inner_text("#photo-note") == "Person found."
    assert "% of the photo" in page.inner_text("#mask .lf-share")
    assert page.is_disabled("#try_on-go")
    wait_for_text(page, "#try_on-reason .lf-note", "garment")
    upload(page, "garment", pictures.garment)
    assert generate(page) == "done"
    page.wait_for_selector("#try_on-viewer [data-view=difference]:not([disabled])")
    for view in ("flow", "warped", "confidence", "difference"):
        page.click(f"#try_on-viewer [data-view={view}]")
        assert page.get_attribute("#try_on-viewer .lf-after", "src").startswith("data:image/jpeg")


def test_change_pose(visit, pictures, tmp_path):
    page = visit()
    page.get_by_role("tab", name="Change pose").click()
    wait_for_text(page, "#body .lf-empty", "Choose a pose")
    upload(page, "person", pictures.person)
    upload(page, "pose", pictures.other)
    page.wait_for_selector("#body canvas")
    assert page.is_hidden("#body [data-do=brush]")
    assert generate(page, "pose_transfer") == "done"
    with Image.open(download(page, "pose_transfer", tmp_path)) as result:
        assert result.size == Image.open(pictures.other).size
    page.wait_for_selector("#pose_transfer-inspector .lf-inspect:not([hidden])")
    page.click("#pose_transfer-inspector [data-side=result]")
    page.wait_for_selector("#pose_transfer-inspector .lf-middle", state="attached")


def test_a_newcomer_needs_two_clicks(visit):
    page = visit()
    page.click("#garments .lf-thumb >> nth=0")
    page.wait_for_selector("#garments .lf-thumb[aria-pressed=true]")
    assert page.locator("#people .lf-thumb[aria-pressed=true]").count() == 1
    assert generate(page) == "done"


def test_a_pose_of_the_gallery_is_mirrored(visit):
    page = visit()
    page.get_by_role("tab", name="Change pose").click()
    page.click("#poses [data-name*=wave]")
    page.wait_for_selector("#body canvas")
    shown = "document.querySelector('#body canvas').toDataURL()"
    before = page.evaluate(shown)
    page.check("#mirror input")
    page.wait_for_function(f"before => {shown} !== before", arg=before)
    assert generate(page, "pose_transfer") == "done"


@pytest.mark.parametrize(
    ("slot", "file", "said"), [("photo", "nobody", "person"), ("photo", "broken", "damaged")]
)
def test_what_is_wrong_is_said_where_it_is(visit, pictures, slot, file, said):
    page = visit()
    upload(page, slot, getattr(pictures, file))
    assert said in page.inner_text(f"#{slot}-note .lf-error").lower()
    assert page.is_disabled("#try_on-go")
