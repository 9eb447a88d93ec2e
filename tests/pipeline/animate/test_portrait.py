"""Portraits of every form people have, and those that are refused."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from models.face.face import Face
from models.face.source_crop import CROP_PX, crop_matrix, crop_portrait, face_square, landmark_square
from pipeline.animate import picture
from pipeline.animate.decoded import PortraitError
from pipeline.animate.picture import read_picture
from pipeline.animate.portrait import by_size, choose_face, draw_numbers, find_faces, read_portrait, rivals

MEDIA = Path(__file__).parents[2] / "media_cases"


def face(left, top, right, bottom, turn_deg=0.0) -> Face:
    """Eyes above the mouth, turned about the box' centre; positive turns run clockwise on the picture."""
    centre = np.array([left + right, top + bottom]) / 2
    points = np.array([[-20.0, -20], [20, -20], [0, 0], [-15, 25], [15, 25]])
    turn = np.radians(turn_deg)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return Face(np.array([left, top, right, bottom], float), 0.9, points @ rotation + centre)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF", "HEIF", "JPEG2000"])
def test_formats(kind):
    image = read_picture(encoded(Image.new("RGB", (64, 48), (200, 100, 50)), kind))
    assert image.shape == (48, 64, 3) and image.dtype == np.uint8
    np.testing.assert_allclose(image[24, 32], (200, 100, 50), atol=12 if kind == "HEIF" else 6)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "I;16"])
def test_modes_become_rgb(mode):
    white = 65535 if mode == "I;16" else None
    image = Image.new(mode, (64, 64), white) if white else Image.new("RGB", (64, 64), "white").convert(mode)
    read = read_picture(encoded(image, "TIFF"))
    assert read.shape == (64, 64, 3) and read.min() > 250


@pytest.mark.parametrize(("white", "grey"), [(1.0, 128), (255.0, 128), (65535.0, 128)])
def test_float_pictures_by_their_brightest_value(white, grey):
    values = np.full((64, 64), white / 2, np.float32)
    values[:32] = white
    read = read_picture(encoded(Image.fromarray(values), "TIFF"))
    assert read[0].min() >= 254 and abs(int(read[-1, 0, 0]) - grey) <= 1


def test_16_bit_colour_becomes_8_bit():
    colour = np.zeros((48, 64, 3), np.uint16)
    colour[...] = (0xC8C8, 0x6464, 0x3232)  # BGR as OpenCV writes it
    image = read_picture(cv2.imencode(".png", colour)[1].tobytes())
    np.testing.assert_allclose(image[24, 32], (0x32, 0x64, 0xC8), atol=1)


def test_the_first_picture_of_an_animation_is_taken():
    pictures = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP", "TIFF"):
        image = read_picture(encoded(pictures[0], kind, save_all=True, append_images=pictures[1:]))
        assert image[20, 20, 0] > 240 and image[20, 20, 2] < 15


def test_transparent_parts_become_the_background():
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 32, 64))
    read = read_picture(encoded(image, "PNG"))
    assert read[10, 10].tolist() == [255, 0, 0] and read[10, 50].tolist() == list(picture.BACKGROUND)


def test_the_camera_orientation_is_applied():
    image = Image.new("RGB", (80, 40), "black")
    image.paste((255, 255, 255), (0, 0, 40, 40))
    exif = Image.Exif()
    exif[274] = 6  # turn clockwise by 90 degrees to see it upright
    read = read_picture(encoded(image, "PNG", exif=exif))
    assert read.shape == (80, 40, 3)
    assert read[10].mean() > 250 and read[70].mean() < 5
    phone = read_picture(encoded(image, "HEIF", exif=exif.tobytes(), quality=95))  # as a phone writes it
    assert phone.shape == (80, 40, 3) and phone[10].mean() > 240 and phone[70].mean() < 15


def test_large_pictures_are_scaled_down_and_larger_ones_refused(monkeypatch):
    assert read_picture(encoded(Image.new("RGB", (3000, 1000)), "JPEG")).shape == (640, 1920, 3)
    monkeypatch.setattr(picture, "MAX_PIXELS", 2_000_000)
    with pytest.raises(PortraitError, match="3000x1000 pixels, more than 2 million"):
        read_picture(encoded(Image.new("1", (3000, 1000)), "PNG"))


def test_what_is_no_picture_is_refused(tmp_path):
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)), "PNG")
    script = tmp_path / "face.eps"
    script.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n")  # would start another program
    with pytest.raises(PortraitError, match="no picture that can be read"):
        read_picture(script)
    with pytest.raises(PortraitError, match="damaged"):
        read_picture(whole[:len(whole) // 2])
    with pytest.raises(PortraitError, match="does not exist"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(PortraitError, match="too large, scale it down"):
        read_picture(encoded(Image.new("1", (20000, 10000)), "PNG"))
    with pytest.raises(PortraitError, match="at least 32"):
        read_picture(np.zeros((20, 200, 3), np.uint8))
    with pytest.raises(PortraitError, match="uint8"):
        read_picture(np.zeros((64, 64, 3)))


def test_a_picture_that_may_not_be_read(monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(PortraitError, match="cannot be read: Permission denied"):
        read_picture(__file__)


def test_faces_are_numbered_by_size():
    small, large = face(0, 0, 30, 30), face(50, 0, 110, 60)
    ordered = by_size([small, large])
    assert choose_face(ordered) is large and choose_face(ordered, 2) is small
    with pytest.raises(PortraitError, match="no face"):
        choose_face([])


def test_a_face_nearly_as_large_is_a_rival():
    """Sides 60 and 30: a quarter of the area."""
    large = face(50, 0, 110, 60)
    assert rivals([large, face(0, 0, 30, 30)]) and not rivals([large, face(0, 0, 29, 29)]) and not rivals([large])


def test_square_of_an_upright_face():
    """Box of 100 px around (200, 150): side 230, moved up by 0.125 x 230 = 28.75."""
    square = face_square(face(150, 100, 250, 200))
    np.testing.assert_allclose([*square.centre, square.side, square.angle_rad], [200, 121.25, 230, 0], atol=1e-9)


def test_square_of_a_turned_face_moves_along_its_own_axis():
    """Turned clockwise by 90 degrees, the chin points to the left: up for the face is right on the picture."""
    square = face_square(face(150, 100, 250, 200, turn_deg=90))
    found = [*square.centre, square.side, np.degrees(square.angle_rad)]
    np.testing.assert_allclose(found, [228.75, 150, 230, 90], atol=1e-9)


@pytest.mark.parametrize("turn_deg", [0.0, 25.0, -70.0])
def test_the_upright_crop_puts_eyes_level_above_the_mouth(turn_deg):
    turned = face(150, 100, 250, 200, turn_deg)
    rect = face_square(turned)
    matrix = crop_matrix(rect)
    eyes_to_mouth = turned.points @ matrix[:, :2].T + matrix[:, 2]
    assert np.isclose(eyes_to_mouth[0, 1], eyes_to_mouth[1, 1])
    assert eyes_to_mouth[0, 0] < eyes_to_mouth[1, 0] and eyes_to_mouth[3, 1] > eyes_to_mouth[0, 1]
    np.testing.assert_allclose(rect.centre @ matrix[:, :2].T + matrix[:, 2], [CROP_PX / 2] * 2)


def test_a_crop_stays_inside_the_picture_where_it_can():
    image = np.full((300, 300, 3), 255, np.uint8)
    assert crop_portrait(image, face(5, 5, 105, 105))[0].min() == 255
    beyond, _ = crop_portrait(image, face(5, 5, 105, 105), upright=True)
    assert beyond[0, 0].tolist() == [0, 0, 0] and beyond[-1, -1].tolist() == [255] * 3


def test_numbers_are_drawn_on_a_copy():
    image = np.zeros((100, 100, 3), np.uint8)
    drawn = draw_numbers(image, [face(20, 40, 60, 80)])
    assert drawn.max() == 255 and image.max() == 0


def test_landmarks_give_liveportraits_own_square():
    """A box 100 x 120 in the face's frame, turned by 30 degrees: side 2.3 x 120, centre 0.125 of it up the face."""
    plain = face(0, 0, 200, 200, turn_deg=30)
    turn = np.radians(30)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    outline = np.array([[-50.0, -60], [50, -60], [-50, 60], [50, 60]]) @ rotation + 100
    turned = Face(plain.box, 0.9, plain.points, outline)
    found = landmark_square(turned)
    assert found.side == pytest.approx(276) and np.degrees(found.angle_rad) == pytest.approx(30)
    assert found.centre == pytest.approx([100 + 34.5 * 0.5, 100 - 34.5 * np.sqrt(0.75)])
    picture = np.zeros((300, 300, 3), np.uint8)
    for upright, square in ((True, landmark_square(turned)), (False, face_square(turned))):
        scale = np.sqrt(np.linalg.det(crop_portrait(picture, turned, upright)[1][:, :2]))
        assert scale == pytest.approx(CROP_PX / square.side) or not upright


def test_a_file_is_decoded_in_a_process_of_its_own(monkeypatch):
    colour = Image.new("RGB", (64, 48), (200, 100, 50))
    whole = encoded(colour, "PNG")

    def refuse(*_, **__):
        raise AssertionError("decoded here")

    monkeypatch.setattr(Image, "open", refuse)
    np.testing.assert_array_equal(read_portrait(whole), np.asarray(colour))
    with pytest.raises(PortraitError, match="damaged"):
        read_portrait(whole[:len(whole) // 2])


class TurnedDetector:
    """Finds the face that a bright half of the picture is the forehead of."""

    def detect(self, image):
        light = image.mean(-1)
        height, width = light.shape
        halves = {0: light[:height // 2], 90: light[:, width // 2:], 180: light[height // 2:],
                  -90: light[:, :width // 2]}
        roll = np.radians(max(halves, key=lambda angle: halves[angle].mean()))
        across, up = np.array([np.cos(roll), np.sin(roll)]), np.array([np.sin(roll), -np.cos(roll)])
        middle = np.array([width / 2, height / 2])
        points = np.array([middle + 8 * (x * across + y * up) for x, y in ((-1, 1), (1, 1), (0, 0), (-1, -1), (1, -1))])
        return [Face(np.array([*(middle - 10), *(middle + 10)]), 0.9, points)]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_face_on_its_side_is_turned_upright_and_said(quarters):
    """A picture with a bright upper half, turned by quarters to the left; it comes back as it was."""
    picture_px = np.zeros((60, 40, 3), np.uint8)
    picture_px[:30] = 200
    found = find_faces(np.rot90(picture_px, quarters), TurnedDetector())
    np.testing.assert_array_equal(found.picture, picture_px)
    assert bool(found.notes) == (quarters > 0)


def test_orientation_by_broken_metadata_and_colours_by_profile():
    """Display P3's red (1, 0, 0) lies outside sRGB: it is clipped to (255, 0, 0); P3 (0.5, 0.5, 0.5) is the same grey,
    P3 (200, 100, 50) is the more colourful sRGB (214, 94, 31), computed by its matrix."""
    profile = (MEDIA / "p3.icc").read_bytes()
    read = read_picture(encoded(Image.new("RGB", (64, 48), (200, 100, 50)), "PNG", icc_profile=profile))
    assert np.abs(read[10, 10].astype(int) - p3_as_srgb(200, 100, 50)).max() <= 2
    grey = read_picture(encoded(Image.new("RGBA", (64, 48), (128, 128, 128, 255)), "PNG", icc_profile=profile))
    assert np.abs(grey[10, 10].astype(int) - 128).max() <= 1
    for broken in (b"no profile", b""):
        plain = read_picture(encoded(Image.new("RGB", (64, 48), (200, 100, 50)), "PNG", icc_profile=broken))
        assert plain[0, 0, 0] == 200
    exif = struct.pack(">4sHI", b"MM\x00*"[:4], 8, 0)
    assert read_picture(encoded(Image.new("RGB", (64, 48)), "JPEG", exif=b"Exif\x00\x00" + exif)).shape == (48, 64, 3)


def p3_as_srgb(*values: int) -> np.ndarray:
    """By the two matrices to XYZ (D65), the transfer function being the same."""
    to_xyz_p3 = np.array([[0.48657095, 0.26566769, 0.19821729], [0.22897456, 0.69173852, 0.07928691],
                          [0.0, 0.04511338, 1.04394437]])
    to_xyz_srgb = np.array([[0.4123908, 0.35758434, 0.18048079], [0.21263901, 0.71516868, 0.07219232],
                            [0.01933082, 0.11919478, 0.95053215]])
    stored = np.array(values) / 255
    light = np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
    light = np.clip(np.linalg.solve(to_xyz_srgb, to_xyz_p3 @ light), 0, 1)
    return np.round(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))
