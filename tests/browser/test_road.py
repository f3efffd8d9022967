"""Both tasks from upload to result, as a visitor walks them."""

import pytest
from browsing import generate, upload

pytestmark = pytest.mark.browser


def test_try_on(visit, pictures):
    page = visit()
    assert page.is_disabled("#try_on-go")
    upload(page, "photo", pictures.person)
    assert page.inner_text("#photo-note") == "Person found."
    assert "% of the photo" in page.inner_text("#mask .lf-share")
    assert page.is_disabled("#try_on-go")
    assert "garment" in page.inner_text("#try_on-reason")
    upload(page, "garment", pictures.garment)
    assert generate(page) == "done"
    page.wait_for_selector("#try_on-viewer [data-view=difference]:not([disabled])")
    for view in ("flow", "warped", "confidence", "difference"):
        page.click(f"#try_on-viewer [data-view={view}]")
        assert page.get_attribute("#try_on-viewer .lf-after", "src").startswith("data:image/jpeg")


def test_change_pose(visit, pictures):
    page = visit()
    page.get_by_role("tab", name="Change pose").click()
    upload(page, "person", pictures.person)
    upload(page, "pose", pictures.other)
    assert generate(page, "pose_transfer") == "done"


@pytest.mark.parametrize(
    ("slot", "file", "said"), [("photo", "nobody", "person"), ("photo", "broken", "damaged")]
)
def test_what_is_wrong_is_said_where_it_is(visit, pictures, slot, file, said):
    page = visit()
    upload(page, slot, getattr(pictures, file))
    assert said in page.inner_text(f"#{slot}-note .lf-error").lower()
    assert page.is_disabled("#try_on-go")
