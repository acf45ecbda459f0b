//! Heat maps: how many times as much as something else, for many series at many inputs.

use std::collections::HashMap;

use plotters::prelude::{Color as _, RGBColor};

use super::svg::{self, Anchor, BODY, BOLD, Font, MARGIN, NAME, Page, SMALL, WIDTH};
use super::{Chart, Point, Theme};
use crate::format;

/// Names of rows are at most this wide, and less where columns need the room, but not less than that.
const ROW_NAME: (f64, f64) = (150.0, 260.0);
/// Names of columns are shortened after this many lines.
const COLUMN_LINES: usize = 3;
/// Height of a line of text.
const LINE: f64 = 14.0;
/// A cell is at least this wide, so that its number fits, and at most that.
const CELL: (f64, f64) = (60.0, 96.0);
/// Space between names and cells, and between two blocks of columns.
const GAP: f64 = 8.0;
const BLOCK_GAP: f64 = 22.0;
/// With more rows than this, they have no second line.
const TALL_ROWS: usize = 16;
/// More series than this are never columns.
const SERIES_COLUMNS: usize = 8;
/// More inputs than this become rows where they can.
const INPUT_COLUMNS: usize = 10;
/// Ratios from here on, and their inverses, have the strongest colours.
const STRONGEST: f64 = 8.0;
/// The share of its colour that the slightest difference gets, so that it is seen.
const SLIGHTEST: f64 = 0.12;

/// What stands in rows and columns.
struct Grid<'a> {
    rows: Vec<&'a str>,
    columns: Vec<&'a str>,
    /// By row, then by column; `None` where nothing was to be measured.
    cells: Vec<Vec<Option<&'a Point>>>,
    /// The least value at each input.
    best: HashMap<&'a str, f64>,
    /// Whether the inputs are the rows.
    is_flipped: bool,
}

/// Draws `chart`, whose values are ratios, as a table with coloured cells: a row for each series and
/// a column for each input, or the other way around where that suits the names.
///
/// A ratio whose interval contains 1 has no colour. The note of a point stands under its ratio,
/// unless there are many rows, and instead of it where the ratio is not a number. Takes O(s p) time
/// for s series and p points.
pub(crate) fn heat(chart: &Chart, theme: Theme) -> String {
    let mut page = Page::new(theme);
    let grid = Grid::new(chart);
    let header = page.header(&chart.title, &chart.subtitle);

    let wanted = wanted(&grid.columns);
    let room = WIDTH - 2.0 * MARGIN - GAP;
    let free = (room - wanted * grid.columns.len() as f64).clamp(ROW_NAME.0, ROW_NAME.1);
    let names = grid.rows.iter().map(|name| svg::shorten(name, NAME, free));
    let names: Vec<String> = names.collect();
    let axis = svg::shorten(&chart.x_label, BODY, free);
    let widths = names.iter().map(|name| svg::width(&[(NAME, name)]));
    let names_width = widths.fold(
        if grid.is_flipped {
            svg::width(&[(BODY, &axis)])
        } else {
            0.0
        },
        f64::max,
    );
    let left = MARGIN + names_width + GAP;
    let (in_block, cell) = columns(grid.columns.len(), WIDTH - MARGIN - left, wanted);
    let row = if grid.rows.len() <= TALL_ROWS {
        38.0
    } else {
        22.0
    };

    let mut y = header + 16.0;
    if !grid.is_flipped {
        y += LINE;
        page.text((left, y), Anchor::Start, &[(BODY, &axis)]);
    }
    for start in (0..grid.columns.len()).step_by(in_block) {
        let block = start..(start + in_block).min(grid.columns.len());
        let heads: Vec<Vec<String>> = grid.columns[block.clone()]
            .iter()
            .map(|name| svg::fold(name, NAME, cell - 6.0, COLUMN_LINES))
            .collect();
        let lines = heads.iter().map(Vec::len).max().unwrap_or(0);
        let top = y + LINE * lines as f64 + 8.0;
        for (head, column) in heads.iter().zip(0..) {
            let middle = left + cell * (f64::from(column) + 0.5);
            for (line, above) in head.iter().rev().zip(0..) {
                let baseline = top - 6.0 - LINE * f64::from(above);
                page.text((middle, baseline), Anchor::Middle, &[(NAME, line)]);
            }
        }
        if grid.is_flipped && start == 0 {
            page.text((MARGIN, top - 6.0), Anchor::Start, &[(BODY, &axis)]);
        }
        for (name, at) in names.iter().zip(0..) {
            let middle = top + row * (f64::from(at) + 0.5);
            page.text((left - GAP, middle + 4.0), Anchor::End, &[(NAME, name)]);
        }
        cells(&mut page, &grid, block, (left, top), (cell, row));
        y = top + row * grid.rows.len() as f64 + BLOCK_GAP;
    }
    let bottom = key(&mut page, chart, y);
    page.finish(chart, bottom + 14.0)
}

/// How wide columns have to be for their numbers and for the longest part of their names.
fn wanted(columns: &[&str]) -> f64 {
    let parts = columns.iter().flat_map(|name| svg::parts(name));
    let widths = parts.map(|part| svg::width(&[(NAME, part)]) + 8.0);
    widths.fold(CELL.0, f64::max).min(CELL.1)
}

/// How many of `count` columns stand side by side in `room` pixels, and how wide each is.
fn columns(count: usize, room: f64, wanted: f64) -> (usize, f64) {
    let most = (room / wanted).floor().max(1.0) as usize;
    // Blocks of equal width look better than a full one and a rest.
    let in_block = count.div_ceil(count.div_ceil(most).max(1)).max(1);
    (in_block, (room / in_block as f64).min(CELL.1))
}

/// Draws the cells of some columns, the upper left one at `left` and `top`.
fn cells(
    page: &mut Page,
    grid: &Grid<'_>,
    columns: std::ops::Range<usize>,
    (left, top): (f64, f64),
    (width, height): (f64, f64),
) {
    let look = Look::of(page);
    let places: Vec<(f64, f64, &Point)> = grid
        .cells
        .iter()
        .zip(0..)
        .flat_map(|(cells, row)| {
            let cells = cells[columns.clone()].iter().zip(0..);
            cells.filter_map(move |(point, column)| {
                let (x, y) = (f64::from(column) * width, f64::from(row) * height);
                Some((left + x, top + y, (*point)?))
            })
        })
        .collect();
    page.shapes("", |pen| {
        for (x, y, point) in &places {
            let color = look.of_point(point);
            let (right, bottom) = (x + width - 2.0, y + height - 2.0);
            let corners = [(*x, *y), (right, *y), (right, bottom), (*x, bottom)];
            pen.area(&corners, color.to_rgba());
        }
    });
    for (x, y, point) in places {
        let ink = ink_on(look.of_point(point));
        let ratio = point.is_drawable().then(|| format::ratio(point.y));
        let font = if grid.is_best(point) { BOLD } else { NAME };
        let lines: Vec<(Font, &str)> = match &ratio {
            Some(ratio) if height > 30.0 && !point.note.is_empty() => {
                vec![(font, ratio.as_str()), (SMALL, point.note.as_str())]
            }
            Some(ratio) => vec![(font, ratio.as_str())],
            None if point.note.is_empty() => vec![(NAME, "–")],
            None => vec![(NAME, point.note.as_str())],
        };
        let first = y + height / 2.0 + 3.0 - 7.5 * (lines.len() - 1) as f64;
        for (&(font, text), line) in lines.iter().zip(0..) {
            let text = svg::shorten(text, font, width - 4.0);
            let at = (x + width / 2.0 - 1.0, first + 15.0 * f64::from(line));
            page.text_in(at, Anchor::Middle, &[(font, &text, ink)]);
        }
    }
}

/// Draws what the colours mean, and returns how far down it reaches.
fn key(page: &mut Page, chart: &Chart, top: f64) -> f64 {
    let look = Look::of(page);
    let steps: &[(f64, &str)] = &[
        (1.0 / 8.0, "≤ 1/8×"),
        (1.0 / 4.0, "1/4×"),
        (1.0 / 2.0, "1/2×"),
        (1.0, "1×"),
        (2.0, "2×"),
        (4.0, "4×"),
        (8.0, "≥ 8×"),
    ];
    let is_never_less = chart.points().all(|point| point.y >= 1.0);
    let steps = &steps[if is_never_less { 3 } else { 0 }..];
    let (width, height) = (54.0, 20.0);
    page.shapes("", |pen| {
        for ((ratio, _), at) in steps.iter().zip(0..) {
            let x = MARGIN + width * f64::from(at);
            let corners = [
                (x, top),
                (x + width, top),
                (x + width, top + height),
                (x, top + height),
            ];
            pen.area(&corners, look.of_ratio(*ratio).to_rgba());
        }
    });
    for ((ratio, text), at) in steps.iter().zip(0..) {
        let middle = (MARGIN + width * (f64::from(at) + 0.5), top + 14.0);
        let ink = ink_on(look.of_ratio(*ratio));
        page.text_in(middle, Anchor::Middle, &[(NAME, text, ink)]);
    }
    let end = MARGIN + width * steps.len() as f64 + 10.0;
    let caption = svg::shorten(&chart.y_label, BODY, WIDTH - MARGIN - end);
    page.text((end, top + 14.0), Anchor::Start, &[(BODY, &caption)]);
    top + height
}

impl<'a> Grid<'a> {
    fn new(chart: &'a Chart) -> Grid<'a> {
        let inputs = chart.positions();
        let series: Vec<&str> = chart.series.iter().map(|series| &*series.name).collect();
        let place: HashMap<&str, usize> = inputs.iter().copied().zip(0..).collect();
        let mut cells = vec![vec![None; inputs.len()]; series.len()];
        for (series, cells) in chart.series.iter().zip(&mut cells) {
            for point in &series.points {
                cells[place[&*point.x_label]] = Some(point);
            }
        }
        let widest = |names: &[&str]| {
            let widths = names.iter().map(|name| svg::width(&[(NAME, name)]));
            widths.fold(0.0, f64::max)
        };
        let is_flipped = series.len() <= SERIES_COLUMNS
            && (inputs.len() > INPUT_COLUMNS || widest(&inputs) > widest(&series));
        let mut best = HashMap::new();
        for point in chart.points() {
            let least = best.entry(&*point.x_label).or_insert(point.y);
            *least = point.y.min(*least);
        }
        if !is_flipped {
            return Grid {
                rows: series,
                columns: inputs,
                cells,
                best,
                is_flipped,
            };
        }
        let row = |input: usize| cells.iter().map(|cells| cells[input]).collect();
        Grid {
            cells: (0..inputs.len()).map(row).collect(),
            rows: inputs,
            columns: series,
            best,
            is_flipped,
        }
    }

    /// Whether no series is less at the input of `point`.
    fn is_best(&self, point: &Point) -> bool {
        self.best.get(&*point.x_label) == Some(&point.y)
    }
}

/// The colours of ratios: from blue for less over none to vermilion for more.
#[derive(Clone, Copy)]
struct Look {
    none: RGBColor,
    less: RGBColor,
    more: RGBColor,
}

impl Look {
    fn of(page: &Page) -> Look {
        Look {
            none: page.palette.none,
            less: page.palette.series[0],
            more: page.palette.series[1],
        }
    }

    fn of_point(self, point: &Point) -> RGBColor {
        let (low, high) = point.interval();
        if !point.is_drawable() || low <= 1.0 && high >= 1.0 {
            return self.none;
        }
        self.of_ratio(point.y)
    }

    fn of_ratio(self, ratio: f64) -> RGBColor {
        let along = (ratio.ln() / STRONGEST.ln()).clamp(-1.0, 1.0);
        let color = if along < 0.0 { self.less } else { self.more };
        let share = match along == 0.0 {
            true => 0.0,
            false => SLIGHTEST + (1.0 - SLIGHTEST) * along.abs(),
        };
        svg::mixed(self.none, color, share)
    }
}

/// Black or white, whichever is easier to read on `color`.
fn ink_on(color: RGBColor) -> RGBColor {
    let (black, white) = (RGBColor(0, 0, 0), RGBColor(255, 255, 255));
    match contrast(color, black) >= contrast(color, white) {
        true => black,
        false => white,
    }
}

/// The contrast of two colours as the Web Content Accessibility Guidelines define it: 1 to 21.
fn contrast(one: RGBColor, other: RGBColor) -> f64 {
    let luminance = |color: RGBColor| {
        let linear = |part: u8| match f64::from(part) / 255.0 {
            part if part <= 0.040_45 => part / 12.92,
            part => ((part + 0.055) / 1.055).powf(2.4),
        };
        0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::svg::Palette;

    fn look(theme: Theme) -> Look {
        Look::of(&Page::new(theme))
    }

    #[test]
    fn numbers_can_be_read_on_every_colour() {
        for theme in [Theme::Light, Theme::Dark] {
            for step in -40..=40 {
                let ratio = (f64::from(step) / 10.0).exp2();
                let color = look(theme).of_ratio(ratio);
                let contrast = contrast(color, ink_on(color));
                assert!(contrast >= 4.5, "{theme:?}, {ratio}: {contrast}");
            }
        }
    }

    #[test]
    fn lines_and_texts_stand_out_from_the_page() {
        for (theme, page) in [(Theme::Light, 0xff), (Theme::Dark, 0x16)] {
            let page = RGBColor(page, page, page);
            let palette = Palette::of(theme);
            for color in palette.series {
                assert!(contrast(color, page) >= 3.0, "{theme:?}: {color:?}");
            }
            for color in [palette.strong, palette.muted] {
                assert!(contrast(color, page) >= 4.5, "{theme:?}: {color:?}");
            }
        }
    }

    #[test]
    fn colour_is_stronger_the_further_a_ratio_is_from_1_and_differs_by_side() {
        let look = look(Theme::Light);
        let far = |ratio: f64| contrast(look.of_ratio(ratio), look.none);
        assert!(far(1.0) < far(1.01) && far(1.01) < far(2.0) && far(2.0) < far(8.0));
        assert!(far(0.99) > far(1.0) && far(0.1) > far(0.5));
        assert_eq!(look.of_ratio(8.0), look.of_ratio(1e300));
        assert_eq!(look.of_ratio(0.0), look.less);
        assert_ne!(look.of_ratio(0.5), look.of_ratio(2.0));
    }

    #[test]
    fn ratio_that_may_be_1_has_no_colour() {
        let point = |y: f64, low, high| Point {
            x: 0.0,
            x_label: String::new(),
            y,
            low,
            high,
            note: String::new(),
            processes: vec![],
        };
        let look = look(Theme::Dark);
        assert_eq!(look.of_point(&point(1.2, 0.9, 1.4)), look.none);
        assert_eq!(look.of_point(&point(f64::NAN, 1.1, 1.4)), look.none);
        assert_ne!(look.of_point(&point(1.2, 1.1, 1.4)), look.none);
    }

    #[test]
    fn columns_are_as_wide_as_the_longest_part_of_their_names() {
        assert_eq!(wanted(&["1", "10"]), CELL.0);
        assert_eq!(
            wanted(&["montage-chameleon-2mass-02d-001-with-more"; 40]),
            wanted(&["chameleon-"])
        );
        assert!(wanted(&["sequential"]) > CELL.0);
        assert_eq!(wanted(&["averylongnamewithoutanybreaks"]), CELL.1);
    }

    #[test]
    fn columns_are_divided_into_equal_blocks_whose_numbers_fit() {
        assert_eq!(columns(3, 600.0, 60.0), (3, CELL.1));
        assert_eq!(columns(10, 600.0, 60.0), (10, 60.0));
        assert_eq!(columns(12, 600.0, 60.0), (6, CELL.1));
        assert_eq!(columns(40, 450.0, 60.0), (7, 450.0 / 7.0));
        assert_eq!(columns(0, 450.0, 60.0).0, 1);
        assert_eq!(columns(4, 10.0, 60.0).0, 1);
    }
}
