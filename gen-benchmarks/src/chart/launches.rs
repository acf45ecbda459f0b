//! Charts of launches: how the processes of each case lie around their median.

use plotters::prelude::{Color as _, RGBColor};

use super::rows::{self, Mark, Place};
use super::svg::Pen;
use super::{Chart, Point, Theme};
use crate::format::Unit;

/// Radius of the dot of a process.
const RADIUS: f64 = 2.5;
/// Fewer processes than this have no box: it would say more than they do.
const BOXED: usize = 4;

/// Draws every process of every point of `chart` as a dot, in a box around their middle half with a
/// line at the median; one group for every `x_label`, ordered by `x`.
pub(crate) fn launches(chart: &Chart, theme: Theme) -> String {
    rows::draw(chart, theme, Mark::Launches)
}

/// Draws dots, box and median of `point`.
pub(super) fn mark(pen: &mut Pen<'_>, place: &Place<'_>, point: &Point, color: RGBColor) {
    let times = sorted(point);
    let (y, half) = (place.y, place.height / 2.0);
    if times.len() >= BOXED {
        let (low, high) = quartiles(&times);
        let (low, high) = (place.x(low), place.x(high));
        let corners = [
            (low, y - half),
            (high, y - half),
            (high, y + half),
            (low, y + half),
        ];
        pen.area(&corners, color.mix(0.25));
    }
    let median = place.x(point.y);
    pen.path(
        &[(median, y - half - 1.0), (median, y + half + 1.0)],
        color,
        2.5,
    );
    let x: Vec<f64> = times.iter().map(|&time| place.x(time)).collect();
    let heights = swarm(&x, 2.0 * RADIUS, half - RADIUS);
    for (x, height) in x.into_iter().zip(heights) {
        pen.disc((x, y + height), RADIUS, color);
    }
}

/// How far the slowest process is from the fastest, in percent of the median.
pub(super) fn spread(point: &Point) -> Option<String> {
    let times = sorted(point);
    let spread = (times.last()? - times.first()?) / point.y;
    let text = Unit::Percent.format(spread, spread / 10.0);
    (times.len() > 1 && spread.is_finite()).then(|| format!("spread {text}"))
}

fn sorted(point: &Point) -> Vec<f64> {
    let times = point.processes.iter().copied();
    let mut times: Vec<f64> = times.filter(|time| time.is_finite()).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// What a quarter, and what three quarters of sorted values lie below, between neighbours in
/// proportion.
fn quartiles(sorted: &[f64]) -> (f64, f64) {
    let at = |share: f64| {
        let place = share * (sorted.len() - 1) as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        sorted[below] + (sorted[above] - sorted[below]) * place.fract()
    };
    (at(0.25), at(0.75))
}

/// For dots at ascending positions, how far each moves up or down so that it is `apart` from those
/// before it; at most `room`. Dots without room lie on others.
fn swarm(positions: &[f64], apart: f64, room: f64) -> Vec<f64> {
    let levels = (room / apart).floor().max(0.0) as i32;
    let mut heights: Vec<f64> = Vec::with_capacity(positions.len());
    for (index, x) in positions.iter().enumerate() {
        let near = positions[..index].iter().zip(&heights).rev();
        let near: Vec<f64> = near
            .take_while(|(other, _)| x - **other < apart)
            .map(|(_, height)| *height)
            .collect();
        // 0, then as far above as below, nearest first.
        let tried = (0..=2 * levels).map(|level| {
            let side = if level % 2 == 0 { 1.0 } else { -1.0 };
            side * f64::from((level + 1) / 2) * apart
        });
        let free = |height: &f64| near.iter().all(|other| (other - height).abs() >= apart);
        heights.push(tried.into_iter().find(free).unwrap_or(0.0));
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_that_have_room_stay_and_others_move_to_both_sides() {
        assert_eq!(swarm(&[0.0, 5.0, 10.0], 5.0, 11.0), [0.0, 0.0, 0.0]);
        assert_eq!(
            swarm(&[0.0, 1.0, 2.0, 7.0], 5.0, 11.0),
            [0.0, -5.0, 5.0, 0.0]
        );
        assert_eq!(swarm(&[], 5.0, 11.0), [0.0; 0]);
    }

    #[test]
    fn dots_never_leave_their_row_and_lie_on_others_only_where_it_is_full() {
        let positions: Vec<f64> = (0..40_i32)
            .map(|index| f64::from(index * index % 90))
            .collect();
        let mut positions = positions;
        positions.sort_by(f64::total_cmp);
        for room in [0.0, 4.0, 11.0, 500.0] {
            let heights = swarm(&positions, 5.0, room);
            assert!(heights.iter().all(|height| height.abs() <= room), "{room}");
        }
        let heights = swarm(&positions, 5.0, 500.0);
        let dots: Vec<_> = positions.iter().zip(&heights).collect();
        for (index, one) in dots.iter().enumerate() {
            for other in &dots[..index] {
                let apart = (one.0 - other.0).abs() >= 5.0 || (one.1 - other.1).abs() >= 5.0;
                assert!(apart, "{one:?} lies on {other:?}");
            }
        }
    }

    #[test]
    fn quartiles_are_those_of_hand() {
        assert_eq!(quartiles(&[1.0, 2.0, 3.0, 4.0, 5.0]), (2.0, 4.0));
        assert_eq!(quartiles(&[1.0, 2.0, 3.0, 10.0]), (1.75, 4.75));
        assert_eq!(quartiles(&[7.0]), (7.0, 7.0));
    }

    #[test]
    fn spread_is_that_of_all_processes() {
        let point = |processes: &[f64]| Point {
            x: 0.0,
            x_label: String::new(),
            y: 100.0,
            low: 100.0,
            high: 100.0,
            note: String::new(),
            processes: processes.to_vec(),
        };
        assert_eq!(
            spread(&point(&[99.0, 103.5, 100.0])).as_deref(),
            Some("spread 4.5 %")
        );
        assert_eq!(
            spread(&point(&[100.0, 100.0])).as_deref(),
            Some("spread 0 %")
        );
        assert_eq!(spread(&point(&[100.0])), None);
        assert_eq!(spread(&point(&[])), None);
    }
}
