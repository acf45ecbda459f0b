//! Charts of rows: named things below each other, each with a mark and its value written beside it.

use super::axis::{self, Axis};
use super::svg::{self, Anchor, BODY, BOLD, Font, MARGIN, NAME, NAME_WIDTH, Page, WIDTH};
use super::{Chart, Point, Scale, Series, Theme, bars, launches};
use crate::format::{self, Unit};

/// Marks are given at least this many pixels, whatever stands beside them.
const PLOT_WIDTH: f64 = 80.0;
/// Space between a row's name, its mark and its value.
const GAP: f64 = 8.0;
/// How far a mark may reach to both sides of its value, where it is not a bar.
const REACH: f64 = 5.0;
/// Height of the heading of a group.
const HEADING: f64 = 24.0;
/// With more rows than this, they are low.
const TALL_ROWS: usize = 12;
/// What follows a value is at most this wide.
const DETAIL_WIDTH: f64 = 185.0;
/// Bars whose values span less than this can all be seen.
const BAR_SPAN: f64 = 20.0;

/// What stands between the name of a row and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A bar with its interval.
    Bar,
    /// Every process, and the box around their middle half.
    Launches,
}

/// Rows that are compared with each other.
struct Group<'a> {
    /// The position on the x axis; `None` where rows are named by theirs.
    label: Option<&'a str>,
    rows: Vec<Row<'a>>,
    /// The lowest value, where rows are rivals.
    best: Option<f64>,
}

struct Row<'a> {
    name: String,
    emphasised: bool,
    point: Option<&'a Point>,
    value: String,
    /// What follows the value: its ratio to the best of the group, notes.
    detail: String,
}

/// What values are measured against.
enum Axes {
    /// One axis for all groups, with its ticks.
    Shared(Axis, Vec<(f64, String)>),
    /// An axis from zero for each group.
    Own(Vec<Axis>),
}

/// Where the mark of a row goes.
pub(super) struct Place<'a> {
    pub(super) axis: &'a Axis,
    /// Where the axis begins and how long it is.
    pub(super) from: f64,
    pub(super) length: f64,
    /// The height of the middle of the row.
    pub(super) y: f64,
    /// How high a mark may be.
    pub(super) height: f64,
}

impl Place<'_> {
    pub(super) fn x(&self, value: f64) -> f64 {
        self.from + self.axis.fraction(value) * self.length
    }
}

/// Draws `chart` as rows in groups, one group for every `x_label`, ordered by `x`.
///
/// Lower is taken to be better: ratios are to the lowest value of a group. Takes O(p²) time for p
/// points in the worst case.
pub(super) fn draw(chart: &Chart, theme: Theme, mark: Mark) -> String {
    let mut page = Page::new(theme);
    let groups = groups(chart, mark);
    let axes = Axes::new(chart, &groups, mark);
    let subtitle = format!("{} · {}", chart.subtitle, axes.describe());
    let header = page.header(&chart.title, &subtitle);

    let rows = || groups.iter().flat_map(|group| &group.rows);
    let (row_height, height) = match rows().count() <= TALL_ROWS {
        true => (34.0, 22.0),
        false => (20.0, 12.0),
    };
    let names = rows().map(|row| svg::width(&[(BOLD, &row.name)]));
    let left = MARGIN + names.fold(0.0, f64::max) + GAP;
    let reach = if axes.has_bars(mark) { 0.0 } else { REACH };
    let length = length(&groups, &axes, mark, left + reach);
    let right = left + 2.0 * reach + length;

    let mut y = header + 16.0;
    for (index, group) in groups.iter().enumerate() {
        let label = group.label.map(|label| short(label, NAME_WIDTH));
        let axis_name = short(&chart.x_label, NAME_WIDTH);
        let heading = [(BODY, &*axis_name), (BOLD, label.as_deref().unwrap_or(""))];
        let heading = heading.into_iter().filter(|piece| !piece.1.is_empty());
        let heading: Vec<_> = heading.collect();
        page.text((MARGIN, y + HEADING - 7.0), Anchor::Start, &heading);
        y += HEADING;
        let end = y + row_height * group.rows.len() as f64;
        let place = |row: usize| Place {
            axis: axes.of(index),
            from: left + reach,
            length,
            y: y + row_height * (row as f64 + 0.5),
            height,
        };
        grid(&mut page, &axes, &place(0), (y, end));
        let palette = page.palette;
        page.shapes("", |pen| {
            for (row, at) in group.rows.iter().zip(0..) {
                let Some(point) = row.point else { continue };
                // One colour for what is recommended, grey for the rest: names say the rest.
                let color = palette.series[if row.emphasised { 0 } else { 4 }];
                match mark {
                    Mark::Bar => {
                        bars::mark(pen, &place(at), point, group.best, (color, palette.strong));
                    }
                    Mark::Launches => launches::mark(pen, &place(at), point, color),
                }
            }
        });
        for (row, at) in group.rows.iter().zip(0..) {
            write_row(&mut page, row, &place(at), mark, (left, reach));
        }
        y = end;
    }
    for (x, label) in axes.labels(left + reach, length) {
        page.text((x, y + 18.0), Anchor::Middle, &[(BODY, label)]);
    }
    let below = match axes {
        Axes::Shared(..) => 40.0,
        Axes::Own(_) => 20.0,
    };
    let middle = f64::midpoint(left, right);
    page.text(
        (middle, y + below),
        Anchor::Middle,
        &[(BODY, &chart.y_label)],
    );
    page.finish(chart, y + below + 14.0)
}

/// How long the axis can be, so that the texts beside the marks fit.
fn length(groups: &[Group<'_>], axes: &Axes, mark: Mark, from: f64) -> f64 {
    let room = WIDTH - MARGIN - REACH - GAP - from;
    let rows = groups.iter().zip(0..);
    let fit = rows.flat_map(|(group, index)| {
        group.rows.iter().map(move |row| {
            let end = row.point.map_or(0.0, |point| extent(point, mark).1);
            let end = axes.of(index).fraction(end);
            let free = room - svg::width(&row.pieces());
            if row.point.is_some() && end > 0.0 {
                free / end
            } else {
                room
            }
        })
    });
    fit.fold(room, f64::min).max(PLOT_WIDTH)
}

fn grid(page: &mut Page, axes: &Axes, place: &Place<'_>, (top, bottom): (f64, f64)) {
    let grid = page.palette.grid;
    let at: Vec<f64> = match axes {
        Axes::Shared(..) => {
            let labels = axes.labels(place.from, place.length);
            labels.into_iter().map(|(x, _)| x).collect()
        }
        Axes::Own(_) => vec![place.x(0.0)],
    };
    page.shapes("", |pen| {
        for x in at {
            pen.path(&[(x, top), (x, bottom)], grid, 0.7);
        }
    });
}

/// Writes the name of a row and what stands beside its mark.
fn write_row(
    page: &mut Page,
    row: &Row<'_>,
    place: &Place<'_>,
    mark: Mark,
    (left, reach): (f64, f64),
) {
    let baseline = place.y + 4.0;
    let font = if row.emphasised { BOLD } else { NAME };
    page.text((left - GAP, baseline), Anchor::End, &[(font, &row.name)]);
    let end = match row.point {
        Some(point) => place.x(extent(point, mark).1) + reach + GAP,
        None => left + GAP,
    };
    page.text((end, baseline), Anchor::Start, &row.pieces());
}

/// The ends of what is drawn for a point.
fn extent(point: &Point, mark: Mark) -> (f64, f64) {
    match mark {
        // Beside a bar to the left of zero there is room on its right.
        Mark::Bar => (point.interval().0, point.interval().1.max(0.0)),
        Mark::Launches => {
            let processes = point
                .processes
                .iter()
                .copied()
                .filter(|time| time.is_finite());
            processes.fold((point.y, point.y), |(low, high), time| {
                (low.min(time), high.max(time))
            })
        }
    }
}

impl Axes {
    fn new(chart: &Chart, groups: &[Group<'_>], mark: Mark) -> Axes {
        let points = |group: &Group<'_>| -> Vec<(f64, (f64, f64))> {
            let points = group.rows.iter().filter_map(|row| row.point);
            points.map(|point| (point.y, extent(point, mark))).collect()
        };
        let ends = |points: &[(f64, (f64, f64))]| -> Vec<f64> {
            points
                .iter()
                .flat_map(|(_, (low, high))| [*low, *high])
                .collect()
        };
        let by_group: Vec<_> = groups.iter().map(points).collect();
        let all: Vec<f64> = by_group.iter().flatten().map(|point| point.0).collect();
        let is_log = chart.y_scale == Scale::Log && all.iter().all(|&value| value > 0.0);
        let span = |points: &Vec<(f64, (f64, f64))>| {
            let values = points.iter().map(|point| point.0);
            let least = values.clone().fold(f64::INFINITY, f64::min);
            values.fold(0.0, f64::max) / least
        };
        if mark == Mark::Bar
            && is_log
            && groups.len() > 1
            && by_group.iter().all(|points| span(points) < BAR_SPAN)
        {
            let axes = by_group.iter();
            return Axes::Own(
                axes.map(|points| Axis::over(Scale::Linear, &ends(points)))
                    .collect(),
            );
        }
        let ends: Vec<f64> = by_group.iter().flat_map(|points| ends(points)).collect();
        let (axis, ticks) = Axis::with_ticks(chart.y_scale, chart.y_unit, &all, &ends, 5);
        Axes::Shared(axis, ticks)
    }

    fn of(&self, group: usize) -> &Axis {
        match self {
            Axes::Shared(axis, _) => axis,
            Axes::Own(axes) => &axes[group],
        }
    }

    /// Whether values are lengths, which begin at zero.
    fn has_bars(&self, mark: Mark) -> bool {
        mark == Mark::Bar && self.of(0).scale == Scale::Linear
    }

    fn describe(&self) -> String {
        match self {
            Axes::Shared(axis, _) => axis.describe(""),
            Axes::Own(_) => "bars start at 0, every group on its own scale".to_owned(),
        }
    }

    /// The ticks that have room, with their labels.
    fn labels(&self, from: f64, length: f64) -> Vec<(f64, &str)> {
        let Axes::Shared(axis, ticks) = self else {
            return vec![];
        };
        let x = |value: f64| from + axis.fraction(value) * length;
        let labels: Vec<_> = ticks
            .iter()
            .map(|(value, label)| (x(*value), svg::width(&[(BODY, label)])))
            .collect();
        let kept = axis::thin(&labels, 12.0);
        let ticks = ticks.iter().zip(kept).filter(|(_, kept)| *kept);
        ticks
            .map(|((value, label), _)| (x(*value), label.as_str()))
            .collect()
    }
}

impl Row<'_> {
    /// What stands beside the mark.
    fn pieces(&self) -> Vec<(Font, &str)> {
        let value = (BOLD, &*self.value);
        if self.detail.is_empty() {
            vec![value]
        } else {
            vec![value, (BODY, &self.detail)]
        }
    }
}

fn groups(chart: &Chart, mark: Mark) -> Vec<Group<'_>> {
    let mut positions = chart.positions();
    if positions.is_empty() {
        positions.push("");
    }
    let groups = positions.iter().map(|&label| group(chart, label, mark));
    if chart.series.len() > 1 || positions.len() == 1 {
        return groups.collect();
    }
    // A heading over every single row says less than a name beside it.
    let rows = groups.flat_map(|group| {
        let name = short(group.label.unwrap_or_default(), NAME_WIDTH);
        group.rows.into_iter().map(move |row| Row {
            name: name.clone(),
            ..row
        })
    });
    vec![Group {
        label: None,
        rows: rows.collect(),
        best: None,
    }]
}

/// The rows at one position. A series that was not measured here has none, unless it was measured
/// nowhere.
fn group<'a>(chart: &'a Chart, label: &'a str, mark: Mark) -> Group<'a> {
    let mut rows = vec![];
    for series in &chart.series {
        let here = series.points.iter().filter(|point| point.x_label == label);
        rows.extend(here.map(|point| row(series, point, chart.y_unit)));
        if series.points.is_empty() {
            rows.push(Row {
                name: name(series),
                emphasised: series.emphasised,
                point: None,
                value: "no data".to_owned(),
                detail: String::new(),
            });
        }
    }
    let values = rows.iter().filter_map(|row| Some(row.point?.y));
    let best = (!chart.unrelated).then(|| values.fold(f64::INFINITY, f64::min));
    for row in &mut rows {
        row.detail = row
            .point
            .map_or(String::new(), |point| detail(point, best, mark));
    }
    Group {
        label: Some(label),
        rows,
        best,
    }
}

fn row<'a>(series: &Series, point: &'a Point, unit: Unit) -> Row<'a> {
    let is_drawable = point.is_drawable();
    let value = match is_drawable {
        true => point.value_text(unit),
        false if point.note.is_empty() => "no data".to_owned(),
        false => short(&point.note, DETAIL_WIDTH),
    };
    Row {
        name: name(series),
        emphasised: series.emphasised,
        point: is_drawable.then_some(point),
        value,
        detail: String::new(),
    }
}

fn detail(point: &Point, best: Option<f64>, mark: Mark) -> String {
    let best = best.filter(|&best| best > 0.0 && point.y > best);
    let ratio = best.map(|best| format::ratio(point.y / best));
    let spread = match mark {
        Mark::Bar => None,
        Mark::Launches => launches::spread(point),
    };
    let note = (!point.note.is_empty()).then(|| point.note.clone());
    let parts: Vec<String> = [ratio, spread, note].into_iter().flatten().collect();
    svg::shorten(&parts.join(" · "), BODY, DETAIL_WIDTH)
}

fn name(series: &Series) -> String {
    short(&series.name, NAME_WIDTH)
}

/// `text` in at most `limit` pixels, also where it is bold.
fn short(text: &str, limit: f64) -> String {
    svg::shorten(text, BOLD, limit)
}
