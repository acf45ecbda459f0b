//! The page a chart is drawn on: shapes by plotters, text, colours, and how wide text is.

use std::fmt::Write as _;

use plotters::prelude::{
    Color as _, DrawingBackend as _, RGBAColor, RGBColor, SVGBackend, ShapeStyle,
};

use super::{Chart, Theme};

/// Width of every chart in pixels.
pub(super) const WIDTH: f64 = 760.0;
/// Free space at the left and right edge in pixels.
pub(super) const MARGIN: f64 = 20.0;
/// Names longer than this many pixels are shortened; 40 characters of a usual name fit.
pub(super) const NAME_WIDTH: f64 = 340.0;

/// Plotters draws on whole pixels; it is given a page this much larger, shown that much smaller.
const SUBPIXELS: f64 = 10.0;
const IN_MEMORY: &str = "plotters only appends to a string here, which cannot fail";

const FONTS: &str = "ui-sans-serif, -apple-system, 'Segoe UI', Inter, 'DejaVu Sans', sans-serif";

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Font {
    /// Height of a line in pixels.
    pub(super) size: f64,
    /// Whether the letters are heavy.
    pub(super) bold: bool,
    /// Whether the text stands out by its colour.
    pub(super) strong: bool,
}

/// The question above a chart.
pub(super) const TITLE: Font = Font {
    size: 16.0,
    bold: true,
    strong: true,
};
/// Everything that explains.
pub(super) const BODY: Font = Font {
    size: 12.0,
    bold: false,
    strong: false,
};
/// Names.
pub(super) const NAME: Font = Font {
    size: 12.0,
    bold: false,
    strong: true,
};
/// Values, headings and the emphasised name.
pub(super) const BOLD: Font = Font {
    size: 12.0,
    bold: true,
    strong: true,
};
/// The second line of a label.
pub(super) const SMALL: Font = Font {
    size: 11.0,
    bold: false,
    strong: false,
};

/// Space between pieces of text on one line, in pixels.
const GAP: f64 = 8.0;

/// Which part of a text stands at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The colours of a theme.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    /// Titles, names, values and the intervals of bars.
    pub(super) strong: RGBColor,
    /// Text that explains.
    pub(super) muted: RGBColor,
    /// Grid lines.
    pub(super) grid: RGBColor,
    /// Areas that stand for neither less nor more.
    pub(super) none: RGBColor,
    /// Series: blue, vermilion and green by Okabe and Ito, then purple and grey.
    pub(super) series: [RGBColor; 5],
}

impl Palette {
    pub(super) fn of(theme: Theme) -> Palette {
        let rgb = |hex: u32| {
            let [_, red, green, blue] = hex.to_be_bytes();
            RGBColor(red, green, blue)
        };
        match theme {
            Theme::Light => Palette {
                strong: rgb(0x1f2328),
                muted: rgb(0x59636e),
                grid: rgb(0xd1d9e0),
                none: rgb(0xebeef2),
                series: [0x0072b2, 0xd55e00, 0x009e73, 0x7a5195, 0x6b7280].map(rgb),
            },
            Theme::Dark => Palette {
                strong: rgb(0xf0f6fc),
                muted: rgb(0x9198a1),
                grid: rgb(0x3d444d),
                none: rgb(0x2d333b),
                series: [0x56b4e9, 0xff8c42, 0x3ddbb0, 0xc39bd3, 0x9ca3af].map(rgb),
            },
        }
    }
}

/// A chart under construction. Coordinates are pixels from the upper left corner, kept to a tenth.
pub(super) struct Page {
    theme: Theme,
    /// The colours to draw with.
    pub(super) palette: Palette,
    body: String,
}

impl Page {
    pub(super) fn new(theme: Theme) -> Page {
        Page {
            theme,
            palette: Palette::of(theme),
            body: String::new(),
        }
    }

    /// Writes the title and the line under it, broken where they are too long, and returns how
    /// far down they reach.
    pub(super) fn header(&mut self, title: &str, subtitle: &str) -> f64 {
        let mut baseline = 28.0;
        for line in wrap(title, TITLE, WIDTH - 2.0 * MARGIN) {
            self.text((MARGIN, baseline), Anchor::Start, &[(TITLE, &line)]);
            baseline += 20.0;
        }
        for line in wrap_parts(subtitle, BODY, WIDTH - 2.0 * MARGIN) {
            self.text((MARGIN, baseline), Anchor::Start, &[(BODY, &line)]);
            baseline += 16.0;
        }
        baseline - 16.0
    }

    /// Writes one or more pieces of text behind each other on one baseline.
    pub(super) fn text(&mut self, at: (f64, f64), anchor: Anchor, pieces: &[(Font, &str)]) {
        let Palette { strong, muted, .. } = self.palette;
        let ink = |font: Font| if font.strong { strong } else { muted };
        let pieces = pieces.iter().map(|&(font, text)| (font, text, ink(font)));
        self.text_in(at, anchor, &pieces.collect::<Vec<_>>());
    }

    /// The same with colours, for what does not stand on the page's background.
    pub(super) fn text_in(
        &mut self,
        (x, y): (f64, f64),
        anchor: Anchor,
        pieces: &[(Font, &str, RGBColor)],
    ) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        for (index, (font, text, color)) in pieces.iter().enumerate() {
            let color = hex(*color);
            let weight = if font.bold { 600 } else { 400 };
            let size = font.size;
            let look = format!("font-size=\"{size}\" font-weight=\"{weight}\" fill=\"{color}\"");
            let text = escape(text);
            if index == 0 {
                self.push(format_args!(
                    "<text x=\"{x:.1}\" y=\"{y:.1}\"{anchor} {look}>{text}"
                ));
            } else {
                // The space is for those who read or copy the text, the rest of the gap for the eye.
                let gap = GAP - text_width(" ", *font);
                self.push(format_args!(
                    " <tspan dx=\"{gap:.1}\" {look}>{text}</tspan>"
                ));
            }
        }
        if !pieces.is_empty() {
            self.push(format_args!("</text>\n"));
        }
    }

    /// Draws shapes that share `attributes`, which plotters does not know: dashes, joins.
    pub(super) fn shapes(&mut self, attributes: &str, draw: impl FnOnce(&mut Pen<'_>)) {
        let mut drawn = String::new();
        let mut pen = Pen(SVGBackend::with_string(&mut drawn, (0, 0)));
        draw(&mut pen);
        pen.0.present().expect(IN_MEMORY);
        drop(pen);
        // Only the shapes are of use, not the document around them. They hold no text that came
        // from outside, so what is removed by name is markup.
        let shapes = drawn.split_once(">\n").map_or("", |(_, rest)| rest);
        let shapes = shapes.trim_end().trim_end_matches("</svg>");
        let shapes = shapes
            .replace(" opacity=\"1\"", "")
            .replace(" stroke=\"none\"", "");
        let shapes = shapes.replace(" \"/>", "\"/>");
        let scale = 1.0 / SUBPIXELS;
        self.push(format_args!(
            "<g transform=\"scale({scale})\"{attributes}>\n{shapes}</g>\n"
        ));
    }

    /// Draws shapes that are seen only where [`reuse`](Self::reuse) puts them.
    pub(super) fn define(&mut self, id: &str, draw: impl FnOnce(&mut Pen<'_>)) {
        self.push(format_args!("<defs>\n"));
        self.shapes(&format!(" id=\"{id}\""), draw);
        self.push(format_args!("</defs>\n"));
    }

    /// Shows what was defined as `id`, with its origin at a place of the page.
    pub(super) fn reuse(&mut self, id: &str, (x, y): (f64, f64)) {
        self.push(format_args!(
            "<use href=\"#{id}\" x=\"{x:.1}\" y=\"{y:.1}\"/>\n"
        ));
    }

    /// The finished document, `height` pixels high.
    pub(super) fn finish(self, chart: &Chart, height: f64) -> String {
        let id = self.element_id(chart);
        let (title, description) = (escape(&chart.title), escape(&chart.description));
        let (body, muted) = (self.body, hex(self.palette.muted));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
             width=\"{WIDTH}\" height=\"{height:.0}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\" font-family=\"{FONTS}\" font-size=\"12\" \
             fill=\"{muted}\">\n<title id=\"{id}-title\">{title}</title>\n\
             <desc id=\"{id}-desc\">{description}</desc>\n{body}</svg>\n"
        )
    }

    /// What the ids of the elements of `chart` begin with.
    pub(super) fn element_id(&self, chart: &Chart) -> String {
        element_id(&chart.id, self.theme)
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.body
            .write_fmt(text)
            .expect("writing to a string cannot fail");
    }
}

/// Draws shapes with plotters.
pub(super) struct Pen<'a>(SVGBackend<'a>);

impl Pen<'_> {
    /// A line through `points`.
    pub(super) fn path(&mut self, points: &[(f64, f64)], color: RGBColor, width: f64) {
        let points: Vec<_> = points.iter().map(|&point| subpixels(point)).collect();
        self.0
            .draw_path(points, &stroke(color, width))
            .expect(IN_MEMORY);
    }

    /// The area inside `points`.
    pub(super) fn area(&mut self, points: &[(f64, f64)], color: RGBAColor) {
        let points: Vec<_> = points.iter().map(|&point| subpixels(point)).collect();
        self.0.fill_polygon(points, &color).expect(IN_MEMORY);
    }

    /// A filled circle.
    pub(super) fn disc(&mut self, center: (f64, f64), radius: f64, color: RGBColor) {
        let radius = (radius * SUBPIXELS) as u32;
        self.0
            .draw_circle(subpixels(center), radius, &color, true)
            .expect(IN_MEMORY);
    }

    /// A circle that is not filled.
    pub(super) fn ring(&mut self, center: (f64, f64), radius: f64, color: RGBColor, width: f64) {
        let radius = (radius * SUBPIXELS) as u32;
        let style = stroke(color, width);
        self.0
            .draw_circle(subpixels(center), radius, &style, false)
            .expect(IN_MEMORY);
    }
}

fn stroke(color: RGBColor, width: f64) -> ShapeStyle {
    color.stroke_width((width * SUBPIXELS) as u32)
}

fn subpixels((x, y): (f64, f64)) -> (i32, i32) {
    (
        (x * SUBPIXELS).round() as i32,
        (y * SUBPIXELS).round() as i32,
    )
}

/// `share` of `over` on `under`.
pub(super) fn mixed(under: RGBColor, over: RGBColor, share: f64) -> RGBColor {
    let mix = |under: u8, over: u8| {
        (f64::from(under) + (f64::from(over) - f64::from(under)) * share).round() as u8
    };
    RGBColor(
        mix(under.0, over.0),
        mix(under.1, over.1),
        mix(under.2, over.2),
    )
}

pub(super) fn hex(color: RGBColor) -> String {
    format!("#{:02x}{:02x}{:02x}", color.0, color.1, color.2)
}

/// `text` as XML character data. What XML forbids, and what would reorder the text around it,
/// becomes a replacement character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => {
                out.push(char::REPLACEMENT_CHARACTER);
            }
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// An id that no other chart has, also when both themes stand in one page. Characters that an id
/// cannot have are written as numbers, so that two names never meet.
fn element_id(id: &str, theme: Theme) -> String {
    let mut out = String::from("chart-");
    for c in id.chars() {
        if c.is_ascii_alphanumeric() || c == '-' {
            out.push(c);
        } else {
            out.push_str(&format!("_{:x}_", u32::from(c)));
        }
    }
    out + match theme {
        Theme::Light => "-light",
        Theme::Dark => "-dark",
    }
}

/// The width of pieces of text on one line in pixels.
pub(super) fn width(pieces: &[(Font, &str)]) -> f64 {
    let text: f64 = pieces
        .iter()
        .map(|(font, text)| text_width(text, *font))
        .sum();
    text + GAP * pieces.len().saturating_sub(1) as f64
}

/// An upper estimate: which font a reader has is not known, so this is DejaVu Sans, the widest in
/// the list.
fn text_width(text: &str, font: Font) -> f64 {
    let em: f64 = text.chars().map(advance).sum();
    em * font.size * if font.bold { 1.12 } else { 1.0 }
}

/// The width of a character in em.
fn advance(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '\'' | '|' => 0.3,
        ' ' | '.' | ',' | ':' | ';' | '!' | '/' | '\\' | '-' | 'f' | '·' => 0.36,
        't' | 'r' | '(' | ')' | '[' | ']' => 0.42,
        'm' | 'M' | 'w' | 'W' | '@' | '%' | '…' => 1.0,
        'A'..='Z' | '&' | '+' | '=' | '<' | '>' | '~' | '#' | '^' | '×' | '±' => 0.84,
        c if c.is_ascii() => 0.64,
        c if c < '\u{250}' || c == 'µ' => 0.8,
        // Greek, Cyrillic, arrows and other signs; then ideographs and emoji.
        c if c < '\u{2e80}' => 1.0,
        _ => 1.4,
    }
}

/// `text` in lines of at most `limit` pixels, broken where its parts meet, and inside those that are
/// longer than a line.
fn wrap_parts(text: &str, font: Font, limit: f64) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for part in text.split(" · ") {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} · {part}"), font) <= limit => {
                line.push_str(" · ");
                line.push_str(part);
            }
            _ => lines.extend(wrap(part, font, limit)),
        }
    }
    lines
}

/// `text` in lines of at most `limit` pixels, broken at spaces, or inside a word that is longer
/// than a line.
fn wrap(text: &str, font: Font, limit: f64) -> Vec<String> {
    let mut lines = vec![];
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = if line.is_empty() {
            word.to_owned()
        } else {
            format!("{line} {word}")
        };
        if text_width(&longer, font) <= limit {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            line.push(c);
            if text_width(&line, font) > limit {
                line.pop();
                lines.push(std::mem::replace(&mut line, c.to_string()));
            }
        }
    }
    lines.push(line);
    lines
}

/// `text` in at most `limit` pixels, its middle left out if need be: names often differ at their
/// ends.
pub(super) fn shorten(text: &str, font: Font, limit: f64) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut kept = chars.len();
    let mut short = text.to_owned();
    while text_width(&short, font) > limit && kept > 0 {
        kept -= 1;
        let (head, tail) = (kept.div_ceil(2), kept / 2);
        short = chars[..head].iter().collect();
        short.push('…');
        short.extend(&chars[chars.len() - tail..]);
    }
    short
}

/// What a name can be broken into.
pub(super) fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split_inclusive(['-', '_', '/', '.', ':', ',', ' '])
}

/// `text` in at most `most` lines of at most `limit` pixels, broken behind hyphens and their like;
/// what is still too long loses its middle.
pub(super) fn fold(text: &str, font: Font, limit: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for part in parts(text) {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line}{part}"), font) <= limit => {
                line.push_str(part)
            }
            _ => lines.push(part.to_owned()),
        }
    }
    if lines.len() > most {
        let rest = lines.split_off(most.saturating_sub(1)).concat();
        lines.push(rest);
    }
    let lines = lines.iter().map(|line| line.trim());
    lines.map(|line| shorten(line, font, limit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_forbids_never_reaches_the_file() {
        assert_eq!(
            escape("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;"
        );
        assert_eq!(
            escape("a\0b\u{1b}c\u{ffff}d\ne\u{202e}f"),
            "a\u{fffd}b\u{fffd}c\u{fffd}d e\u{fffd}f"
        );
        assert_eq!(escape("λ 🚀 名"), "λ 🚀 名");
    }

    #[test]
    fn ids_of_different_charts_and_themes_differ() {
        let ids = ["a/b", "a-b", "a_b", "a_2f_b"].map(|id| element_id(id, Theme::Light));
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id), "{ids:?}");
        }
        assert_ne!(element_id("a", Theme::Light), element_id("a", Theme::Dark));
    }

    #[test]
    fn wrapped_lines_fit_and_lose_nothing_but_spaces() {
        let text = "how long does aVeryLongWordThatIsWiderThanAnyLineOfThisText take";
        let lines = wrap(text, BODY, 120.0);
        assert!(
            lines.iter().all(|line| text_width(line, BODY) <= 120.0),
            "{lines:?}"
        );
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        assert_eq!(wrap("", BODY, 120.0), [""]);
    }

    #[test]
    fn parts_stay_whole_where_they_can() {
        let text = "time a node · lower is better · log axes";
        let lines = wrap_parts(text, BODY, 200.0);
        assert_eq!(lines, ["time a node · lower is better", "log axes"]);
        let lines = wrap_parts(text, BODY, 60.0);
        assert!(lines.len() > 3, "{lines:?}");
        assert!(
            lines.iter().all(|line| text_width(line, BODY) <= 60.0),
            "{lines:?}"
        );
    }

    #[test]
    fn shortened_text_keeps_both_ends() {
        assert_eq!(shorten("short", BODY, 100.0), "short");
        let short = shorten("group-with-a-long-name/and-its-end", BODY, 100.0);
        assert!(
            short.starts_with("group") && short.ends_with("-end"),
            "{short}"
        );
        assert!(
            short.contains('…') && text_width(&short, BODY) <= 100.0,
            "{short}"
        );
    }

    #[test]
    fn folded_names_break_at_hyphens_and_never_exceed_their_lines() {
        assert_eq!(fold("work-stealing", BODY, 60.0, 3), ["work-", "stealing"]);
        assert_eq!(fold("rayon", BODY, 60.0, 3), ["rayon"]);
        assert_eq!(fold("", BODY, 60.0, 3), Vec::<String>::new());
        let long = fold("montage-chameleon-2mass-02d-001", BODY, 60.0, 3);
        assert_eq!(long.len(), 3, "{long:?}");
        assert!(
            long[0].starts_with("mont") && long[2].ends_with("01"),
            "{long:?}"
        );
        for line in long {
            assert!(text_width(&line, BODY) <= 60.0, "{line}");
        }
    }

    #[test]
    fn forty_characters_of_a_usual_name_are_not_shortened() {
        let name = "work-stealing-with-64-byte-padded-slots!";
        assert_eq!(name.len(), 40);
        assert_eq!(shorten(name, BOLD, NAME_WIDTH), name);
    }
}
