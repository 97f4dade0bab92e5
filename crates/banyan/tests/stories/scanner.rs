//! A scanner at a hospital's window: it reads what the picture of a QR code says.

use rqrr::PreparedImage;

/// The text of the QR code that an SVG of ours shows.
pub(crate) fn read(svg: &str) -> String {
    let size = attribute(svg, "width=\"");
    let path = svg.split(" d=\"").nth(1).expect("a path");
    let path = path.split('"').next().expect("its end");
    let mut dark = vec![false; size * size];
    // Each piece is `x yhWvHH..V..`, a rectangle.
    for piece in path.split('M').skip(1) {
        let numbers: Vec<usize> = piece
            .split(|letter: char| !letter.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        let [x, y, width, height, ..] = numbers[..] else {
            panic!("no rectangle: {piece}");
        };
        for row in y..y + height {
            dark[row * size + x..row * size + x + width].fill(true);
        }
    }
    // A camera sees each module as several dots.
    let side = size * DOTS;
    let mut image = PreparedImage::prepare_from_greyscale(side, side, |x, y| {
        if dark[y / DOTS * size + x / DOTS] {
            0
        } else {
            255
        }
    });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code is seen");
    grids[0].decode().expect("it can be read").1
}

const DOTS: usize = 4;

fn attribute(svg: &str, name: &str) -> usize {
    let value = svg
        .split(name)
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let value = value.and_then(|value| value.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {svg}"))
}
