//! Drawings as pixels.
use stylegan_data::draw_svg;

fn square(body: &str) -> String {
    format!(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 2">{body}</svg>"#)
}

#[test]
fn a_drawing_fills_the_size_that_is_asked_for() {
    let halves =
        square(r##"<rect width="1" height="2" fill="#ff0000"/><rect x="1" width="1" height="2" fill="#0000ff"/>"##);
    assert_eq!(draw_svg(&halves, 2).unwrap(), [255, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 255]);
    assert_eq!(draw_svg(&halves, 6).unwrap().len(), 6 * 6 * 3);
}

#[test]
fn what_is_no_square_drawing_is_refused() {
    let told = |svg: &str, side: usize| draw_svg(svg, side).unwrap_err().to_string();
    assert!(told("a cat", 8).starts_with("an SVG drawing is expected: "));
    let wide = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 2"/>"#;
    assert_eq!(told(wide, 8), "a square drawing is expected, got 4 x 2");
    assert_eq!(told(&square(""), 0), "the side of a drawing must be from 1 to 16384 pixels, got 0");
}
