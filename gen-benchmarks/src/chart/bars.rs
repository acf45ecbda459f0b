//! Bar charts: how much named things take, with whiskers for the intervals.

use plotters::prelude::{Color as _, RGBColor};

use super::rows::{self, Mark, Place};
use super::svg::Pen;
use super::{Chart, Point, Scale, Theme};

/// Draws `chart` as horizontal bars in groups, one group for every `x_label`, ordered by `x`.
///
/// A bar's length is its value, so a logarithmic scale is drawn with dots, each as far from the
/// best of its group as it is slower. Groups of which each alone could be drawn as bars get them,
/// on scales of their own.
pub(crate) fn bars(chart: &Chart, theme: Theme) -> String {
    rows::draw(chart, theme, Mark::Bar)
}

/// Draws the bar or dot of `point`, in `color` with a whisker in `strong`.
pub(super) fn mark(
    pen: &mut Pen<'_>,
    place: &Place<'_>,
    point: &Point,
    best: Option<f64>,
    (color, strong): (RGBColor, RGBColor),
) {
    let (y, half) = (place.y, place.height / 2.0);
    match place.axis.scale {
        Scale::Linear => {
            let (start, end) = (place.x(0.0), place.x(point.y));
            let (top, bottom) = (y - half, y + half);
            let corners = [(start, top), (end, top), (end, bottom), (start, bottom)];
            pen.area(&corners, color.to_rgba());
        }
        // On this scale lengths are ratios.
        Scale::Log => {
            let best = place.x(best.unwrap_or(point.y));
            pen.path(&[(best, y), (place.x(point.y), y)], color, 2.0);
        }
    }
    let (low, high) = point.interval();
    if low < high {
        let (low, high) = (place.x(low), place.x(high));
        pen.path(&[(low, y), (high, y)], strong, 1.5);
        for end in [low, high] {
            pen.path(&[(end, y - 3.0), (end, y + 3.0)], strong, 1.5);
        }
    }
    if place.axis.scale == Scale::Log {
        pen.disc((place.x(point.y), y), 4.5, color);
    }
}
