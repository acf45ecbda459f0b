//! Small multiples: a panel for each series of a group that has too many for one plot.

use plotters::prelude::RGBColor;

use super::axis::{self, Axis};
use super::line::scales;
use super::svg::{self, Anchor, BODY, BOLD, Font, MARGIN, NAME, Page, Pen, SMALL, WIDTH, mixed};
use super::{Chart, Point, Series, Theme};

/// With more series than this, there are more panels in a row.
const WIDE_PANELS: usize = 12;
/// Space between two panels of a row, and between the axis and the first and last position.
const GUTTER: f64 = 16.0;
const INSET: f64 = 6.0;
/// Height of the two lines above a panel, and of the space below it.
const HEAD: f64 = 36.0;
const FOOT: f64 = 10.0;

/// How the panels are laid out: all are alike.
struct Layout {
    columns: usize,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Layout {
    /// The upper left corner of the plot of a panel.
    fn corner(&self, panel: usize) -> (f64, f64) {
        let (row, column) = (panel / self.columns, panel % self.columns);
        let x = self.left + column as f64 * (self.width + GUTTER);
        let y = self.top + HEAD + row as f64 * (HEAD + self.height + FOOT);
        (x, y)
    }

    /// Whether no panel stands below this one.
    fn is_lowest(&self, panel: usize, count: usize) -> bool {
        panel + self.columns >= count
    }
}

/// Draws each series of `chart` in a panel of its own, in the order in which they are given, before
/// all the others in grey and those that are emphasised in their colour. All panels have the same
/// axes.
///
/// Takes O(p log p) time for p points.
pub(crate) fn multiples(chart: &Chart, theme: Theme) -> String {
    let mut page = Page::new(theme);
    let x_positions: Vec<f64> = chart.points().map(|point| point.x).collect();
    let x_axis = Axis::over(chart.x_scale, &x_positions);
    let y_values: Vec<f64> = chart.points().map(|point| point.y).collect();
    let (y_axis, y_ticks) =
        Axis::with_ticks(chart.y_scale, chart.y_unit, &y_values, &chart.values(), 4);
    let subtitle = format!("{} · {}", chart.subtitle, scales(&x_axis, &y_axis));
    let header = page.header(&chart.title, &subtitle);

    let count = chart.series.len();
    let columns = if count <= WIDE_PANELS { 3 } else { 4 };
    let tick_widths = y_ticks
        .iter()
        .map(|(_, label)| svg::width(&[(BODY, label)]));
    let left = MARGIN + tick_widths.fold(0.0, f64::max) + 8.0;
    let room = WIDTH - MARGIN - left - GUTTER * (columns - 1) as f64;
    let layout = Layout {
        columns,
        left,
        top: header + 34.0,
        width: room / columns as f64,
        height: if columns == 3 { 104.0 } else { 84.0 },
    };
    let x = |value: f64| INSET + x_axis.fraction(value) * (layout.width - 2.0 * INSET);
    let y = |value: f64| (1.0 - y_axis.fraction(value)) * layout.height;
    let place = |point: &Point| (x(point.x), y(point.y));

    page.text(
        (MARGIN, header + 30.0),
        Anchor::Start,
        &[(BODY, &chart.y_label)],
    );
    let behind = format!("{}-behind", page.element_id(chart));
    let palette = page.palette;
    page.define(&behind, |pen| {
        for (value, _) in &y_ticks {
            pen.path(
                &[(0.0, y(*value)), (layout.width, y(*value))],
                palette.grid,
                0.7,
            );
        }
        let grey = mixed(palette.grid, palette.series[4], 0.45);
        let mut series: Vec<&Series> = chart.series.iter().collect();
        series.sort_by_key(|series| series.emphasised);
        for series in series {
            let (color, width) = match series.emphasised {
                true => (palette.series[0], 1.5),
                false => (grey, 0.8),
            };
            line(pen, &points(series), place, (color, width));
        }
    });
    let x_labels = x_labels(chart, x, layout.width);
    for (panel, series) in chart.series.iter().enumerate() {
        let corner = layout.corner(panel);
        page.reuse(&behind, corner);
        head(&mut page, chart, series, corner, layout.width);
        let at = |point: &Point| (corner.0 + x(point.x), corner.1 + y(point.y));
        let color = match series.emphasised {
            true => palette.series[0],
            false => palette.strong,
        };
        let points = points(series);
        page.shapes(" stroke-linejoin=\"round\"", |pen| {
            line(pen, &points, at, (color, 2.0));
            for point in &points {
                let ends = [point.interval().0, point.interval().1];
                let ends = ends.map(|end| (at(point).0, corner.1 + y(end)));
                if ends[0].1 > ends[1].1 {
                    pen.path(&ends, color, 1.0);
                }
                pen.disc(at(point), 2.2, color);
            }
        });
        if panel % layout.columns == 0 {
            for (value, label) in &y_ticks {
                let at = (corner.0 - 8.0, corner.1 + y(*value) + 4.0);
                page.text(at, Anchor::End, &[(BODY, label)]);
            }
        }
        if layout.is_lowest(panel, count) {
            for (at, label) in &x_labels {
                let at = (corner.0 + at, corner.1 + layout.height + 16.0);
                page.text(at, Anchor::Middle, &[(BODY, label)]);
            }
        }
    }
    let bottom = layout.corner(count.saturating_sub(1)).1 + layout.height;
    let middle = f64::midpoint(left, WIDTH - MARGIN);
    page.text(
        (middle, bottom + 38.0),
        Anchor::Middle,
        &[(BODY, &chart.x_label)],
    );
    page.finish(chart, bottom + 52.0)
}

/// The points that can be drawn, from left to right.
fn points(series: &Series) -> Vec<&Point> {
    let drawable = series.points.iter().filter(|point| point.is_drawable());
    let mut points: Vec<&Point> = drawable.collect();
    points.sort_by(|one, other| one.x.total_cmp(&other.x));
    points
}

fn line(
    pen: &mut Pen<'_>,
    points: &[&Point],
    place: impl Fn(&Point) -> (f64, f64),
    (color, width): (RGBColor, f64),
) {
    let path: Vec<_> = points.iter().map(|point| place(point)).collect();
    pen.path(&path, color, width);
}

/// Writes what stands above a panel: the name, and below it exponent and last value.
fn head(page: &mut Page, chart: &Chart, series: &Series, (x, y): (f64, f64), width: f64) {
    let font: Font = if series.emphasised { BOLD } else { NAME };
    let name = svg::shorten(&series.name, font, width);
    let parts: Vec<String> = series
        .power()
        .into_iter()
        .chain([series.last(chart.y_unit)])
        .collect();
    let detail = svg::shorten(&parts.join(", "), SMALL, width);
    page.text((x, y - 21.0), Anchor::Start, &[(font, &name)]);
    page.text((x, y - 8.0), Anchor::Start, &[(SMALL, &detail)]);
}

/// The positions with their labels below a panel of this width, as many as fit, none of them
/// reaching beyond it.
fn x_labels(chart: &Chart, x: impl Fn(f64) -> f64, width: f64) -> Vec<(f64, String)> {
    let mut labels: Vec<(f64, String)> = chart
        .points()
        .map(|point| (point.x, svg::shorten(&point.x_label, BODY, width / 2.0)))
        .collect();
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    labels.dedup_by(|one, other| one.0 == other.0);
    let inside = |(value, label): (f64, String)| {
        let half = svg::width(&[(BODY, &label)]) / 2.0;
        (x(value).clamp(half, width - half), label)
    };
    let labels: Vec<_> = labels.into_iter().map(inside).collect();
    let widths: Vec<_> = labels
        .iter()
        .map(|(at, label)| (*at, svg::width(&[(BODY, label)])))
        .collect();
    let kept = axis::thin(&widths, 10.0);
    let kept = labels.into_iter().zip(kept).filter(|(_, kept)| *kept);
    kept.map(|(label, _)| label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(columns: usize) -> Layout {
        Layout {
            columns,
            left: 60.0,
            top: 80.0,
            width: 150.0,
            height: 84.0,
        }
    }

    #[test]
    fn panels_and_their_heads_never_overlap() {
        let layout = layout(4);
        let areas: Vec<_> = (0..60)
            .map(|panel| {
                let (x, y) = layout.corner(panel);
                (x, y - HEAD, x + layout.width, y + layout.height)
            })
            .collect();
        for (index, one) in areas.iter().enumerate() {
            for other in &areas[..index] {
                let apart =
                    one.0 >= other.2 || one.2 <= other.0 || one.1 >= other.3 || one.3 <= other.1;
                assert!(apart, "{one:?} lies on {other:?}");
            }
        }
    }

    #[test]
    fn positions_are_labelled_once_a_column() {
        let lowest = |columns, count| -> Vec<usize> {
            let layout = layout(columns);
            (0..count)
                .filter(|&panel| layout.is_lowest(panel, count))
                .map(|panel| panel % columns)
                .collect()
        };
        assert_eq!(lowest(4, 10), [2, 3, 0, 1]);
        assert_eq!(lowest(3, 9), [0, 1, 2]);
        assert_eq!(lowest(3, 2), [0, 1]);
    }
}
