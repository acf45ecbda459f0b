//! Charts of one series over time: values with intervals, levels as steps, and what marks a change.

use super::axis::{self, Axis};
use super::svg::{self, Anchor, BODY, BOLD, MARGIN, NAME, NAME_WIDTH, Page, WIDTH};
use super::{Chart, Point, Scale, Theme};

/// Height of the plot in pixels.
const PLOT_HEIGHT: f64 = 264.0;
/// Space between the ends of the x axis and the first and last position.
const INSET: f64 = 12.0;
/// More changes than this are marked, but not named: the newest are.
const NAMED: usize = 12;
/// Height of a line of text.
const ROW: f64 = 16.0;

/// A level that holds from one position to another.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The first position.
    pub(crate) from: f64,
    /// The last position.
    pub(crate) to: f64,
    /// The value between them.
    pub(crate) level: f64,
}

/// A change between two positions.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// Where on the x axis.
    pub(crate) at: f64,
    /// Whether values are higher from there on.
    pub(crate) is_rise: bool,
    /// Stands at the mark: `0123456`.
    pub(crate) name: String,
    /// Stands below the chart, after the name: `+10 %`.
    pub(crate) change: String,
    /// Stands after that as far as there is room.
    pub(crate) cause: String,
}

/// Draws the first series of `chart` with its `steps` and `marks`, both from left to right.
///
/// Takes O(p log p) time for p points.
pub(crate) fn history(chart: &Chart, steps: &[Step], marks: &[Mark], theme: Theme) -> String {
    let mut page = Page::new(theme);
    let series = chart.series.first();
    let mut points: Vec<&Point> = series
        .iter()
        .flat_map(|series| &series.points)
        .filter(|point| point.is_drawable())
        .collect();
    points.sort_by(|one, other| one.x.total_cmp(&other.x));
    let positions: Vec<f64> = points.iter().map(|point| point.x).collect();
    let x_axis = Axis::over(Scale::Linear, &positions);
    let values: Vec<f64> = points.iter().map(|point| point.y).collect();
    let ends: Vec<f64> = points
        .iter()
        .flat_map(|point| [point.interval().0, point.interval().1])
        .collect();
    let (y_axis, y_ticks) = Axis::with_ticks(chart.y_scale, chart.y_unit, &values, &ends, 6);
    let scale = y_axis.describe("y ");
    let header = page.header(&chart.title, &format!("{} · {scale}", chart.subtitle));

    let tick_width = y_ticks
        .iter()
        .map(|(_, label)| svg::width(&[(BODY, label)]));
    let left = MARGIN + tick_width.fold(0.0, f64::max) + 8.0;
    let now = points.last().map(|last| last.value_text(chart.y_unit));
    let now = now.unwrap_or_else(|| "no data".to_owned());
    let right = WIDTH - MARGIN - svg::width(&[(BOLD, &now)]) - 10.0;
    let x = |value: f64| left + INSET + x_axis.fraction(value) * (right - left - 2.0 * INSET);

    let named = &marks[marks.len().saturating_sub(NAMED)..];
    let labels: Vec<(f64, String)> = named
        .iter()
        .map(|mark| (x(mark.at), svg::shorten(&mark.name, BOLD, 160.0)))
        .collect();
    let (rows, row_count) = rows(&labels);
    let names = header + 30.0;
    let top = names + 14.0 + ROW * row_count as f64;
    let bottom = top + PLOT_HEIGHT;
    let y = |value: f64| bottom - y_axis.fraction(value) * PLOT_HEIGHT;

    page.text((MARGIN, names), Anchor::Start, &[(BODY, &chart.y_label)]);
    let [level, rise, fall, _, plain] = page.palette.series;
    let grid = page.palette.grid;
    page.shapes("", |pen| {
        for (value, _) in &y_ticks {
            pen.path(&[(left, y(*value)), (right, y(*value))], grid, 1.0);
        }
    });
    for (value, label) in &y_ticks {
        page.text((left - 8.0, y(*value) + 4.0), Anchor::End, &[(BODY, label)]);
    }
    for (at, label) in x_ticks(&points, x) {
        page.text((at, bottom + 20.0), Anchor::Middle, &[(BODY, &label)]);
    }
    let middle = f64::midpoint(left, right);
    page.text(
        (middle, bottom + 42.0),
        Anchor::Middle,
        &[(BODY, &chart.x_label)],
    );

    let color = |mark: &Mark| if mark.is_rise { rise } else { fall };
    page.shapes(" stroke-dasharray=\"40 30\"", |pen| {
        for (index, mark) in marks.iter().enumerate() {
            // The line of a name leads up to it.
            let row = (index + named.len()).checked_sub(marks.len());
            let reach = row.map_or(0.0, |row| ROW * rows[row] as f64 + 4.0);
            pen.path(
                &[(x(mark.at), top - reach), (x(mark.at), bottom)],
                color(mark),
                1.25,
            );
        }
    });
    let radius = if points.len() <= 120 { 2.6 } else { 1.6 };
    page.shapes("", |pen| {
        for point in &points {
            let (low, high) = point.interval();
            if low < high {
                let ends = [(x(point.x), y(low)), (x(point.x), y(high))];
                pen.path(&ends, plain, 0.8);
            }
            pen.disc((x(point.x), y(point.y)), radius, plain);
        }
    });
    page.shapes("", |pen| {
        for step in steps {
            let ends = [(x(step.from), y(step.level)), (x(step.to), y(step.level))];
            pen.path(&ends, level, 2.5);
        }
    });
    for ((at, name), row) in labels.iter().zip(&rows) {
        let half = svg::width(&[(BOLD, name)]) / 2.0;
        let middle = within(*at, half);
        let height = top - 8.0 - ROW * *row as f64;
        page.text((middle, height), Anchor::Middle, &[(BOLD, name)]);
    }
    if let Some(last) = points.last() {
        let height = y(last.y).clamp(top + 4.0, bottom);
        page.text((right + 10.0, height + 4.0), Anchor::Start, &[(BOLD, &now)]);
    } else {
        page.text((right + 10.0, bottom), Anchor::Start, &[(NAME, &now)]);
    }

    let mut baseline = bottom + 50.0;
    // Newest first: who reads on wants the last one.
    for (mark, (_, name)) in named.iter().zip(&labels).rev() {
        baseline += ROW + 4.0;
        let arrow = if mark.is_rise { "▲" } else { "▼" };
        let change = svg::shorten(&mark.change, NAME, NAME_WIDTH);
        let pieces = [(BOLD, arrow), (BOLD, &**name), (NAME, &*change)];
        let room = WIDTH - 2.0 * MARGIN - svg::width(&pieces) - 10.0;
        let cause = cut(&mark.cause, room);
        let [arrow, name, change] = pieces;
        page.text(
            (MARGIN, baseline),
            Anchor::Start,
            &[arrow, name, change, (BODY, &cause)],
        );
    }
    page.finish(chart, baseline + 14.0)
}

/// The beginning of a sentence, in at most `room` pixels.
fn cut(text: &str, room: f64) -> String {
    let fits = |text: &str| svg::width(&[(BODY, text)]) <= room;
    if fits(text) {
        return text.to_owned();
    }
    let ends = text.char_indices().rev().map(|(end, _)| end);
    let mut shorter = ends.map(|end| format!("{}…", text[..end].trim_end()));
    shorter.find(|text| fits(text)).unwrap_or_default()
}

/// The middle of a text as near to `at` as the page lets it be.
fn within(at: f64, half: f64) -> f64 {
    at.min(WIDTH - MARGIN - half).max(MARGIN + half)
}

/// A row for each label `(position, text)`, 0 the lowest, so that none lies on another or on the
/// line that leads to one; and how many rows there are.
///
/// The newest stand lowest, so lines lead up past them on their left.
fn rows(labels: &[(f64, String)]) -> (Vec<usize>, usize) {
    let mut rows = vec![0; labels.len()];
    let mut taken: Vec<f64> = Vec::new();
    for (index, (at, text)) in labels.iter().enumerate().rev() {
        let half = svg::width(&[(BOLD, text)]) / 2.0;
        let (start, end) = (within(*at, half) - half, within(*at, half) + half);
        let free = |from: &f64| end + 8.0 <= *from && at + 4.0 <= *from;
        let row = taken.iter().position(free).unwrap_or(taken.len());
        if row == taken.len() {
            taken.push(f64::INFINITY);
        }
        // What stands further left must not run into this one, in its row and in those above.
        taken[row] = start.min(*at);
        rows[index] = row;
    }
    (rows, taken.len())
}

/// The positions with their labels, as many as fit side by side.
fn x_ticks(points: &[&Point], x: impl Fn(f64) -> f64) -> Vec<(f64, String)> {
    let mut ticks: Vec<(f64, String)> = points
        .iter()
        .map(|point| (x(point.x), svg::shorten(&point.x_label, BODY, 110.0)))
        .collect();
    ticks.dedup_by(|one, other| one.0 == other.0);
    let widths: Vec<_> = ticks
        .iter()
        .map(|(at, label)| (*at, svg::width(&[(BODY, label)])))
        .collect();
    let kept = axis::thin(&widths, 12.0);
    let kept = ticks.into_iter().zip(kept).filter(|(_, kept)| *kept);
    kept.map(|(tick, _)| tick).collect()
}
