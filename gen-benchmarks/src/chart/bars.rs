//! Bar charts: values of named things, each written beside its bar.

use std::collections::HashSet;

use plotters::prelude::Color as _;

use super::axis::{self, Axis};
use super::svg::{self, Anchor, BODY, BOLD, MARGIN, NAME, NAME_WIDTH, Page, WIDTH};
use super::{Chart, Point, Scale, Theme};
use crate::format;

/// Bars are given at least this many pixels, whatever stands beside them.
const PLOT_WIDTH: f64 = 80.0;
/// Space between a row's name, its bar and its value.
const GAP: f64 = 8.0;
/// Height of the heading of a group.
const HEADING: f64 = 24.0;
/// With more rows than this, bars are thin.
const THICK_ROWS: usize = 12;

/// Bars that are compared with each other.
struct Group {
    /// Empty when there is nothing to tell groups apart.
    heading: String,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    emphasised: bool,
    /// The value with the ends of its interval.
    value: Option<(f64, f64, f64)>,
    value_text: String,
    /// Ratio to the best of the group, and note.
    detail: String,
}

/// Draws `chart` as horizontal bars in groups, one group for every `x_label`, ordered by `x`.
///
/// A bar's length is its value, so a logarithmic scale is drawn with dots. Lower is taken to be
/// better: ratios are to the lowest value of a group. Takes O(p²) time for p points in the worst
/// case.
pub(crate) fn bars(chart: &Chart, theme: Theme) -> String {
    let mut page = Page::new(theme);
    let y_values: Vec<f64> = chart.points().map(|point| point.y).collect();
    let (axis, ticks) =
        Axis::with_ticks(chart.y_scale, chart.y_unit, &y_values, &chart.values(), 5);
    let subtitle = format!("{} · {}", chart.subtitle, axis.describe(""));
    let header = page.header(&chart.title, &subtitle);

    let groups = groups(chart);
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let name_width = rows()
        .map(|row| svg::width(&[(BOLD, &row.name)]))
        .fold(0.0, f64::max);
    let left = MARGIN + name_width + GAP;
    let limit = WIDTH - MARGIN - GAP;
    // The plot is as wide as the texts beside its longest bars allow.
    let fit = |row: &Row| {
        let end = axis.fraction(row.value.map_or(0.0, |(_, _, high)| high));
        let room = limit - svg::width(&row.pieces()) - left;
        if end > 0.0 { left + room / end } else { limit }
    };
    let right = rows().map(fit).fold(limit, f64::min).max(left + PLOT_WIDTH);
    let x = |value: f64| left + axis.fraction(value) * (right - left);

    let (row_height, bar) = if rows().count() > THICK_ROWS {
        (20.0, 12.0)
    } else {
        (34.0, 22.0)
    };
    let top = header + 34.0;
    page.text((MARGIN, top), Anchor::Start, &[(BODY, &chart.x_label)]);
    let mut y = top + GAP;
    let labels: Vec<_> = ticks
        .iter()
        .map(|(value, label)| (x(*value), svg::width(&[(BODY, label)])))
        .collect();
    let kept = axis::thin(&labels, 12.0);
    for group in &groups {
        if !group.heading.is_empty() {
            page.text(
                (MARGIN, y + HEADING - 7.0),
                Anchor::Start,
                &[(BOLD, &group.heading)],
            );
            y += HEADING;
        }
        let end = y + row_height * group.rows.len() as f64;
        let grid = page.palette.grid;
        page.shapes("", |pen| {
            for ((at, _), _) in labels.iter().zip(&kept).filter(|(_, kept)| **kept) {
                pen.path(&[(*at, y), (*at, end)], grid, 0.7);
            }
        });
        for row in &group.rows {
            draw_row(&mut page, row, &axis, x, (left, y + row_height / 2.0), bar);
            y += row_height;
        }
    }
    for ((_, label), ((at, _), _)) in ticks
        .iter()
        .zip(labels.iter().zip(&kept))
        .filter(|(_, (_, kept))| **kept)
    {
        page.text((*at, y + 18.0), Anchor::Middle, &[(BODY, label)]);
    }
    let middle = f64::midpoint(left, right);
    page.text(
        (middle, y + 40.0),
        Anchor::Middle,
        &[(BODY, &chart.y_label)],
    );
    page.finish(chart, y + 54.0)
}

impl Row {
    /// What stands beside the bar.
    fn pieces(&self) -> Vec<(svg::Font, &str)> {
        let value = (BOLD, &*self.value_text);
        if self.detail.is_empty() {
            vec![value]
        } else {
            vec![value, (BODY, &self.detail)]
        }
    }
}

fn groups(chart: &Chart) -> Vec<Group> {
    let all = chart.series.iter().flat_map(|series| &series.points);
    let mut labels: Vec<(f64, &str)> = all.map(|point| (point.x, &*point.x_label)).collect();
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut seen = HashSet::new();
    labels.retain(|(_, label)| seen.insert(*label));
    if labels.is_empty() {
        labels.push((0.0, ""));
    }
    let groups = labels.iter().map(|(_, label)| group(chart, label));
    let mut groups: Vec<Group> = groups.collect();
    if let [only] = &mut *groups {
        only.heading.clear();
    } else if chart.series.len() == 1 {
        // A heading over every single bar says less than a name beside it.
        let rows = groups.into_iter().flat_map(|group| {
            group.rows.into_iter().map(move |row| Row {
                name: group.heading.clone(),
                ..row
            })
        });
        return vec![Group {
            heading: String::new(),
            rows: rows.collect(),
        }];
    }
    groups
}

fn group(chart: &Chart, label: &str) -> Group {
    let at = |point: &&Point| point.x_label == label && point.is_drawable();
    let values = chart.points().filter(at).map(|point| point.y);
    let best = values.fold(f64::INFINITY, f64::min);
    let mut rows = vec![];
    for series in &chart.series {
        let row = |point: Option<&Point>| Row {
            name: svg::shorten(&series.name, BOLD, NAME_WIDTH),
            emphasised: series.emphasised,
            value: point.map(|point| (point.y, point.interval().0, point.interval().1)),
            value_text: point.map_or("no data".to_owned(), |point| point.value_text(chart.y_unit)),
            detail: point.map_or(String::new(), |point| detail(point, best)),
        };
        let points: Vec<&Point> = series.points.iter().filter(at).collect();
        if points.is_empty() {
            rows.push(row(None));
        }
        rows.extend(points.into_iter().map(|point| row(Some(point))));
    }
    Group {
        heading: svg::shorten(label, BOLD, WIDTH - 2.0 * MARGIN),
        rows,
    }
}

fn detail(point: &Point, best: f64) -> String {
    let ratio = (best > 0.0 && point.y > best).then(|| format::ratio(point.y / best));
    let note = svg::shorten(&point.note, BODY, NAME_WIDTH / 3.0);
    let parts = ratio.into_iter().chain((!note.is_empty()).then_some(note));
    parts.collect::<Vec<_>>().join(" · ")
}

/// Draws a row whose middle is at height `y`.
fn draw_row(
    page: &mut Page,
    row: &Row,
    axis: &Axis,
    x: impl Fn(f64) -> f64,
    (left, y): (f64, f64),
    thickness: f64,
) {
    let font = if row.emphasised { BOLD } else { NAME };
    page.text((left - GAP, y + 4.0), Anchor::End, &[(font, &row.name)]);
    let end = row.value.map_or(left, |(_, _, high)| x(high.max(0.0)));
    page.text((end + GAP, y + 4.0), Anchor::Start, &row.pieces());
    let Some((value, low, high)) = row.value else {
        return;
    };
    let palette = page.palette;
    // One colour for what is recommended, grey for the rest: in a bar chart names say the rest.
    let color = palette.series[if row.emphasised { 0 } else { 4 }];
    let half = thickness / 2.0;
    page.shapes("", |pen| {
        if axis.scale == Scale::Linear {
            let (start, end) = (x(0.0), x(value));
            let corners = [
                (start, y - half),
                (end, y - half),
                (end, y + half),
                (start, y + half),
            ];
            pen.area(&corners, color.to_rgba());
        }
        if low < high {
            pen.path(&[(x(low), y), (x(high), y)], palette.strong, 1.5);
            for end in [x(low), x(high)] {
                pen.path(&[(end, y - 3.0), (end, y + 3.0)], palette.strong, 1.5);
            }
        }
        if axis.scale == Scale::Log {
            pen.disc((x(value), y), 4.5, color);
        }
    });
}
