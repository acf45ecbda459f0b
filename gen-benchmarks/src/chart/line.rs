//! Line charts: values against a number, every line named where it ends.

use plotters::prelude::{Color as _, RGBColor};

use super::axis::{self, Axis};
use super::svg::{self, Anchor, BODY, BOLD, MARGIN, NAME, NAME_WIDTH, Page, Pen, SMALL, WIDTH};
use super::{Chart, Point, Scale, Series, Theme};

/// Height of the plot when its labels need no more, in pixels.
const PLOT_HEIGHT: f64 = 304.0;
/// Space between the ends of an axis and the first and last position.
const INSET: f64 = 12.0;
/// Space between a marker beside the plot and the name it stands for.
const MARKER: f64 = 10.0;
/// How far below a name its second line stands.
const SECOND_LINE: f64 = 13.0;
/// With more series than this, name and value share a line if they fit.
const TALL_LABELS: usize = 12;

/// A series with what tells it from the others.
struct Line<'a> {
    series: &'a Series,
    /// The points that can be drawn, from left to right.
    points: Vec<&'a Point>,
    /// Sixty lines in a row differ in colour or marker, and lines of one colour in their dashes.
    style: usize,
    name: String,
    /// `n^1.01`, empty where nothing was fitted.
    power: String,
    detail: String,
}

/// Draws `chart` with a numeric x axis.
///
/// Takes O(p log p) time for p points.
pub(crate) fn line(chart: &Chart, theme: Theme) -> String {
    let mut page = Page::new(theme);
    let lines = lines(chart);
    let x_positions: Vec<f64> = chart.points().map(|point| point.x).collect();
    let x_axis = Axis::over(chart.x_scale, &x_positions);
    let y_values: Vec<f64> = chart.points().map(|point| point.y).collect();
    let (y_axis, y_ticks) =
        Axis::with_ticks(chart.y_scale, chart.y_unit, &y_values, &chart.values(), 7);

    let subtitle = format!("{} · {}", chart.subtitle, scales(&x_axis, &y_axis));
    let header = page.header(&chart.title, &subtitle);

    let one_line = lines.len() > TALL_LABELS && label_width(&lines, true) <= NAME_WIDTH;
    let below = if one_line { 0.0 } else { SECOND_LINE };
    let step = below + 16.0;
    let tick_width = y_ticks
        .iter()
        .map(|(_, label)| svg::width(&[(BODY, label)]));
    let left = MARGIN + tick_width.fold(0.0, f64::max) + 8.0;
    let top = header + 48.0;
    let height = PLOT_HEIGHT.max(step * lines.len() as f64);
    let bottom = top + height;
    let y = |value: f64| bottom - y_axis.fraction(value) * height;

    let label_at = |line: &Line<'_>| line.points.last().map_or(bottom - below, |last| y(last.y));
    let mut labels: Vec<_> = lines.iter().map(|line| (label_at(line), line)).collect();
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let wanted: Vec<f64> = labels.iter().map(|label| label.0).collect();
    let label_heights = spread(&wanted, step, top, bottom - below);
    let moves = wanted
        .iter()
        .zip(&label_heights)
        .map(|(wanted, height)| (wanted - height).abs());
    // The further labels moved, the more room their leaders need to be told apart.
    let leader = (moves.fold(0.0, f64::max) * 0.5).clamp(12.0, 60.0);
    let names = WIDTH - MARGIN - label_width(&lines, one_line);
    let right = names - MARKER - leader;
    let x = |value: f64| left + INSET + x_axis.fraction(value) * (right - left - 2.0 * INSET);

    page.text(
        (MARGIN, top - 18.0),
        Anchor::Start,
        &[(BODY, &chart.y_label)],
    );
    let grid = page.palette.grid;
    page.shapes("", |pen| {
        for (value, _) in &y_ticks {
            pen.path(&[(left, y(*value)), (right, y(*value))], grid, 1.0);
        }
    });
    for (value, label) in &y_ticks {
        page.text((left - 8.0, y(*value) + 4.0), Anchor::End, &[(BODY, label)]);
    }
    let x_ticks = x_ticks(chart, &x_axis, x);
    page.shapes("", |pen| {
        for (at, _) in &x_ticks {
            pen.path(&[(*at, top), (*at, bottom)], grid, 0.5);
        }
    });
    for (at, label) in &x_ticks {
        page.text((*at, bottom + 20.0), Anchor::Middle, &[(BODY, label)]);
    }
    let middle = f64::midpoint(left, right);
    page.text(
        (middle, bottom + 42.0),
        Anchor::Middle,
        &[(BODY, &chart.x_label)],
    );

    for line in &lines {
        let color = page.palette.series[line.style % 5];
        let path = fitted(line, &x_axis, &y_axis);
        let path: Vec<_> = path
            .into_iter()
            .map(|(at, value)| (x(at), y(value)))
            .collect();
        page.shapes(
            " stroke-dasharray=\"10 30\" stroke-linecap=\"round\"",
            |pen| {
                pen.path(&path, color, 1.0);
            },
        );
    }
    // What is emphasised is drawn last and lies on top.
    for line in lines.iter().rev() {
        draw_line(&mut page, line, x, y);
    }
    for ((_, line), at) in labels.iter().zip(label_heights) {
        if let Some(last) = line.points.last() {
            let color = page.palette.series[line.style % 5];
            let start = (x(last.x) + 6.0, y(last.y));
            let leader = [start, (right - 4.0, start.1), (names - MARKER - 5.0, at)];
            page.shapes("", |pen| pen.path(&leader, color, 0.7));
        }
        draw_label(&mut page, line, (names, at), one_line);
    }
    page.finish(chart, bottom + 56.0)
}

/// What a reader has to know about both axes.
pub(super) fn scales(x_axis: &Axis, y_axis: &Axis) -> String {
    let (x_scale, y_scale) = (x_axis.describe("x "), y_axis.describe("y "));
    match (&*x_scale, &*y_scale) {
        ("log x axis", "log y axis") => "log axes".to_owned(),
        ("x axis starts at 0", "y axis starts at 0") => "axes start at 0".to_owned(),
        _ => format!("{x_scale}, {y_scale}"),
    }
}

/// The series, emphasised ones first.
fn lines(chart: &Chart) -> Vec<Line<'_>> {
    let mut series: Vec<&Series> = chart.series.iter().collect();
    series.sort_by_key(|series| !series.emphasised);
    let series = series.into_iter().enumerate();
    series
        .map(|(style, series)| Line::new(series, style, chart))
        .collect()
}

impl<'a> Line<'a> {
    fn new(series: &'a Series, style: usize, chart: &Chart) -> Line<'a> {
        let drawable = series.points.iter().filter(|point| point.is_drawable());
        let mut points: Vec<&Point> = drawable.collect();
        points.sort_by(|one, other| one.x.total_cmp(&other.x));
        let power = series.power().unwrap_or_default();
        let beside = match power.is_empty() {
            true => 0.0,
            false => svg::width(&[(NAME, ""), (SMALL, &power)]),
        };
        let name = svg::shorten(&series.name, name_font(series), NAME_WIDTH - beside);
        let detail = svg::shorten(&series.last(chart.y_unit), SMALL, NAME_WIDTH);
        Line {
            series,
            points,
            style,
            name,
            power,
            detail,
        }
    }

    /// What stands on the first line of the label, or on the only one.
    fn pieces(&self, one_line: bool) -> Vec<(svg::Font, &str)> {
        let mut pieces = vec![(name_font(self.series), &*self.name)];
        if !self.power.is_empty() {
            pieces.push((SMALL, &self.power));
        }
        if one_line {
            pieces.push((SMALL, &self.detail));
        }
        pieces
    }
}

fn name_font(series: &Series) -> svg::Font {
    if series.emphasised { BOLD } else { NAME }
}

/// The width of the widest label in pixels.
fn label_width(lines: &[Line<'_>], one_line: bool) -> f64 {
    let width = |line: &Line<'_>| {
        let first = svg::width(&line.pieces(one_line));
        first.max(svg::width(&[(SMALL, &line.detail)]))
    };
    lines.iter().map(width).fold(0.0, f64::max)
}

/// The measured positions with their labels, as many as fit side by side.
fn x_ticks(chart: &Chart, axis: &Axis, x: impl Fn(f64) -> f64) -> Vec<(f64, String)> {
    let mut ticks: Vec<(f64, String)> = chart
        .points()
        .map(|point| {
            (
                point.x,
                svg::shorten(&point.x_label, BODY, NAME_WIDTH / 3.0),
            )
        })
        .collect();
    if axis.scale == Scale::Linear {
        ticks.push((0.0, "0".to_owned()));
    }
    ticks.sort_by(|one, other| one.0.total_cmp(&other.0));
    ticks.dedup_by(|one, other| one.0 == other.0);
    let ticks: Vec<_> = ticks
        .into_iter()
        .map(|(value, label)| (x(value), label))
        .collect();
    let widths: Vec<_> = ticks
        .iter()
        .map(|(at, label)| (*at, svg::width(&[(BODY, label)])))
        .collect();
    let kept = axis::thin(&widths, 12.0);
    ticks
        .into_iter()
        .zip(kept)
        .filter(|(_, kept)| *kept)
        .map(|(tick, _)| tick)
        .collect()
}

/// Draws interval, line and markers.
fn draw_line(page: &mut Page, line: &Line<'_>, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
    let color = page.palette.series[line.style % 5];
    let path: Vec<_> = line
        .points
        .iter()
        .map(|point| (x(point.x), y(point.y)))
        .collect();
    let end = |point: &Point, end: f64| (x(point.x), y(end));
    let upper = line
        .points
        .iter()
        .map(|point| end(point, point.interval().1));
    let lower = line
        .points
        .iter()
        .map(|point| end(point, point.interval().0));
    page.shapes("", |pen| {
        let band: Vec<_> = upper.clone().chain(lower.clone().rev()).collect();
        pen.area(&band, color.mix(0.16));
        // A band shows how the interval changes, but is invisible at a lone point.
        for (upper, lower) in upper.zip(lower).filter(|(upper, lower)| upper.1 < lower.1) {
            pen.path(&[upper, lower], color, 1.0);
        }
    });
    let width = if line.series.emphasised { 2.5 } else { 1.75 };
    let dashes = match line.style / 5 % 4 {
        0 => "",
        1 => " stroke-dasharray=\"70 30\"",
        2 => " stroke-dasharray=\"20 25\"",
        _ => " stroke-dasharray=\"90 25 20 25\"",
    };
    let joined = format!(" stroke-linejoin=\"round\"{dashes}");
    page.shapes(&joined, |pen| pen.path(&path, color, width));
    page.shapes("", |pen| {
        for &at in &path {
            marker(pen, line.style, at, color);
        }
    });
}

/// Draws what stands beside a line: marker, name and detail.
fn draw_label(page: &mut Page, line: &Line<'_>, (x, y): (f64, f64), one_line: bool) {
    let color = page.palette.series[line.style % 5];
    page.shapes("", |pen| marker(pen, line.style, (x - MARKER, y), color));
    page.text((x, y + 4.0), Anchor::Start, &line.pieces(one_line));
    if !one_line {
        let below = (x, y + 4.0 + SECOND_LINE);
        page.text(below, Anchor::Start, &[(SMALL, &line.detail)]);
    }
}

/// The fitted power between the first and the last position of a line, in as many steps as it needs
/// to look like a curve; nothing where nothing was fitted.
fn fitted(line: &Line<'_>, x_axis: &Axis, y_axis: &Axis) -> Vec<(f64, f64)> {
    let (Some(fit), Some(first), Some(last)) =
        (&line.series.fit, line.points.first(), line.points.last())
    else {
        return vec![];
    };
    let is_straight = x_axis.scale == Scale::Log && y_axis.scale == Scale::Log;
    let steps = if is_straight { 1 } else { 24 };
    let at = |step: i32| {
        let share = f64::from(step) / f64::from(steps);
        let x = match x_axis.scale {
            Scale::Log => first.x * (last.x / first.x).powf(share),
            Scale::Linear => first.x + (last.x - first.x) * share,
        };
        (x, fit.at(x))
    };
    let path = (0..=steps).map(at);
    path.filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect()
}

/// Draws the marker of a style. There are 12, so that together with 5 colours no two of 60 series
/// look alike.
fn marker(pen: &mut Pen<'_>, style: usize, at: (f64, f64), color: RGBColor) {
    const SQUARE: &[(f64, f64)] = &[(-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)];
    const UP: &[(f64, f64)] = &[(0.0, -4.2), (4.2, 3.2), (-4.2, 3.2)];
    const DOWN: &[(f64, f64)] = &[(0.0, 4.2), (4.2, -3.2), (-4.2, -3.2)];
    const DIAMOND: &[(f64, f64)] = &[(0.0, -4.6), (4.6, 0.0), (0.0, 4.6), (-4.6, 0.0)];
    let moved = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect()
    };
    let mut hollow = |points: &[(f64, f64)]| {
        let mut outline = moved(points);
        outline.push(outline[0]);
        outline.push(outline[1]);
        pen.path(&outline, color, 1.5);
    };
    match style % 12 {
        0 => pen.disc(at, 3.6, color),
        1 => pen.area(&moved(SQUARE), color.to_rgba()),
        2 => pen.area(&moved(UP), color.to_rgba()),
        3 => pen.area(&moved(DIAMOND), color.to_rgba()),
        4 => {
            pen.path(&moved(&[(-4.2, 0.0), (4.2, 0.0)]), color, 2.5);
            pen.path(&moved(&[(0.0, -4.2), (0.0, 4.2)]), color, 2.5);
        }
        5 => pen.ring(at, 3.6, color, 1.5),
        6 => hollow(SQUARE),
        7 => hollow(UP),
        8 => hollow(DIAMOND),
        9 => {
            pen.path(&moved(&[(-3.4, -3.4), (3.4, 3.4)]), color, 2.0);
            pen.path(&moved(&[(3.4, -3.4), (-3.4, 3.4)]), color, 2.0);
        }
        10 => pen.area(&moved(DOWN), color.to_rgba()),
        _ => hollow(DOWN),
    }
}

/// Moves ascending positions apart until they are `step` or more from each other, between `low`
/// and `high`; the order stays, and the sum of squared moves is the smallest possible.
///
/// When the room is too small, they start at `low` and go beyond `high`.
fn spread(wanted: &[f64], step: f64, low: f64, high: f64) -> Vec<f64> {
    // Less `step` times its index, each position only has to be no smaller than its predecessor:
    // neighbours in the wrong order share their mean (pool adjacent violators).
    let mut pools: Vec<(f64, usize)> = vec![];
    for (index, wanted) in wanted.iter().enumerate() {
        let mut pool = (wanted - step * index as f64, 1);
        while let Some(&(mean, count)) = pools.last()
            && mean > pool.0
        {
            pools.pop();
            let sum = mean * count as f64 + pool.0 * pool.1 as f64;
            pool = (sum / (count + pool.1) as f64, count + pool.1);
        }
        pools.push(pool);
    }
    let highest = (high - step * wanted.len().saturating_sub(1) as f64).max(low);
    let flat = pools
        .iter()
        .flat_map(|&(mean, count)| std::iter::repeat_n(mean, count));
    flat.enumerate()
        .map(|(index, mean)| mean.clamp(low, highest) + step * index as f64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: &[f64], expected: &[f64]) {
        assert_eq!(spread(wanted, 10.0, 0.0, 100.0), expected);
    }

    #[test]
    fn labels_with_room_stay_where_the_lines_end() {
        check(&[5.0, 40.0, 90.0], &[5.0, 40.0, 90.0]);
        check(&[], &[]);
    }

    #[test]
    fn labels_that_collide_move_apart_evenly_and_keep_their_order() {
        check(&[50.0, 50.0], &[45.0, 55.0]);
        check(&[40.0, 42.0, 80.0], &[36.0, 46.0, 80.0]);
        check(&[10.0, 45.0, 46.0, 47.0], &[10.0, 36.0, 46.0, 56.0]);
    }

    #[test]
    fn labels_stay_inside_the_plot() {
        check(&[0.0, 0.0, 100.0, 100.0], &[0.0, 10.0, 90.0, 100.0]);
    }

    #[test]
    fn labels_never_come_closer_than_a_line_of_text() {
        for count in 1..=11 {
            let wanted: Vec<f64> = (0..count)
                .map(|index| f64::from(index * index) / 2.0)
                .collect();
            let spread = spread(&wanted, 10.0, 0.0, 100.0);
            assert!(
                spread
                    .windows(2)
                    .all(|pair| pair[1] - pair[0] >= 10.0 - 1e-9),
                "{spread:?}"
            );
            assert!(
                spread[0] >= 0.0 && spread[spread.len() - 1] <= 100.0,
                "{spread:?}"
            );
        }
    }
}
