//! Pictures of the pages: what the program prints in colour, as SVG for light and for dark pages.
//!
//! `AEROFORM_UPDATE_DOCS=1 cargo test --test readme picture` writes the files under docs/images/.

use std::fs;
use std::path::Path;

use anstyle::RgbColor;
use anstyle_svg::{Palette, Term};

use crate::fixture::PageFixture;

/// Changes one field, adds a Machine and removes a group: each colour of a plan occurs.
const EDITS_OF_THE_PLAN: &str = include_str!("picture.diff");

#[test]
fn the_picture_of_a_plan_shows_what_is_printed() {
    let stage = PageFixture::new();
    stage.patch(EDITS_OF_THE_PLAN);
    let printed = stage.run("aeroform -C examples/fly-rails plan --refresh=false --color=always");
    let command = "\u{1b}[2m$\u{1b}[0m aeroform plan --refresh=false\n";
    compare("plan", "README.md", &format!("{command}{printed}"));
}

/// How a page looks: its background and the colours on it, as GitHub shows code in both of its themes.
struct Theme {
    name: &'static str,
    background: RgbColor,
    text: RgbColor,
    /// Red, green, yellow and cyan, readable on this background.
    colors: [RgbColor; 4],
}

const THEMES: [Theme; 2] = [
    Theme {
        name: "light",
        background: RgbColor(0xf6, 0xf8, 0xfa),
        text: RgbColor(0x1f, 0x23, 0x28),
        colors: [
            RgbColor(0xcf, 0x22, 0x2e),
            RgbColor(0x11, 0x63, 0x29),
            RgbColor(0x95, 0x38, 0x00),
            RgbColor(0x05, 0x50, 0xae),
        ],
    },
    Theme {
        name: "dark",
        background: RgbColor(0x0d, 0x11, 0x17),
        text: RgbColor(0xe6, 0xed, 0xf3),
        colors: [
            RgbColor(0xff, 0x7b, 0x72),
            RgbColor(0x3f, 0xb9, 0x50),
            RgbColor(0xd2, 0x99, 0x22),
            RgbColor(0x39, 0xc5, 0xcf),
        ],
    },
];

/// Compares both files of a picture with what was printed, and looks for both on the page.
fn compare(name: &str, page: &str, printed: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page_text = fs::read_to_string(root.join(page)).unwrap();
    for theme in THEMES {
        let file = format!("docs/images/{name}-{}.svg", theme.name);
        let path = root.join(&file);
        let drawn = draw(&theme, printed);
        if std::env::var_os("AEROFORM_UPDATE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &drawn).unwrap();
        }
        assert!(
            fs::read_to_string(&path).unwrap_or_default() == drawn,
            "{file} shows something else than what is printed; \
             `AEROFORM_UPDATE_DOCS=1 cargo test --test readme picture` writes it"
        );
        let name = Path::new(&file).file_name().unwrap().to_str().unwrap();
        assert!(page_text.contains(name), "{page} shows {file}");
    }
}

fn draw(theme: &Theme, printed: &str) -> String {
    let [red, green, yellow, cyan] = theme.colors;
    let mut palette = [theme.text; 16];
    for (index, color) in [(1, red), (2, green), (3, yellow), (6, cyan)] {
        palette[index] = color;
    }
    Term::new()
        .palette(Palette(palette))
        .fg_color(theme.text.into())
        .bg_color(theme.background.into())
        .render_svg(printed.trim_end())
        // Browsers ignore `opacity` within a line of text, and 0.4 is too pale on a light page.
        .replace(" opacity: 0.4", " fill-opacity: 0.7")
}
