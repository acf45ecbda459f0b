//! Charts: values in, the text of an SVG file out.
//!
//! The same chart gives the same bytes. Plotters draws the shapes; text, which it can neither
//! style in parts nor measure without fonts, is written beside them. There is no file with both
//! themes in it: a page chooses between two files with `<picture>`, because a site's theme and the
//! system's can differ. The background is transparent, and colours are attributes, because
//! renderers that are not browsers ignore style sheets.

mod axis;
mod bars;
mod history;
mod line;
mod svg;

use crate::format::Unit;

pub(crate) use bars::bars;
pub(crate) use history::{Mark, Step, history};
pub(crate) use line::line;

/// The background a chart is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Dark text for a white page.
    Light,
    /// Light text for a nearly black page.
    Dark,
}

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Equal differences are equally long; the axis contains zero.
    Linear,
    /// Equal ratios are equally long. An axis with a value that is not positive is drawn linear,
    /// because such a value has no place on this scale.
    Log,
}

/// What one picture shows.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Names the chart inside a page; it becomes part of the ids of its elements.
    pub(crate) id: String,
    /// The question that the chart answers.
    pub(crate) title: String,
    /// Group, quantity, statistic, interval and which direction is better, separated by ` · `. The
    /// scales are added, because only the drawing knows them.
    pub(crate) subtitle: String,
    /// What a reader who cannot see the picture should know.
    pub(crate) description: String,
    /// What the x positions are: `nodes`, or `file` above the rows of a bar chart.
    pub(crate) x_label: String,
    /// What the values are: `time per run`. Their unit stands on the ticks.
    pub(crate) y_label: String,
    /// What the values count.
    pub(crate) y_unit: Unit,
    /// The scale of x in a line chart; bars have no x axis.
    pub(crate) x_scale: Scale,
    /// The scale of the values.
    pub(crate) y_scale: Scale,
    /// What is compared, in the order in which colours are given out and bars are drawn.
    pub(crate) series: Vec<Series>,
}

/// One line of a line chart, one bar of every group of a bar chart.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Shown beside the line or bar; over about 40 characters, its middle is left out.
    pub(crate) name: String,
    /// Whether this is the baseline or the recommended series, which gets the first colour.
    pub(crate) emphasised: bool,
    /// The values, in any order. A series without values is labelled `no data`.
    pub(crate) points: Vec<Point>,
}

/// One value with its interval. A point whose `x` or `y` is not finite is left out.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    /// Position on the x axis; in a bar chart, where its group stands among the others.
    pub(crate) x: f64,
    /// How the position is written: `1,000`, `README.md`.
    pub(crate) x_label: String,
    /// The value, in the unit of the chart.
    pub(crate) y: f64,
    /// Lower end of the interval; no interval is drawn when an end is not finite.
    pub(crate) low: f64,
    /// Upper end of the interval.
    pub(crate) high: f64,
    /// Stands beside the value, unless empty: `12 instructions`. A line shows the note of its
    /// last point: `n^1.00`.
    pub(crate) note: String,
}

impl Point {
    fn is_drawable(&self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }

    /// The ends of the interval; both are the value when no interval is known.
    fn interval(&self) -> (f64, f64) {
        if self.low.is_finite() && self.high.is_finite() {
            (self.low.min(self.y), self.high.max(self.y))
        } else {
            (self.y, self.y)
        }
    }

    fn value_text(&self, unit: Unit) -> String {
        let (low, high) = self.interval();
        unit.format(self.y, (high - low) / 2.0)
    }
}

impl Chart {
    fn points(&self) -> impl Iterator<Item = &Point> {
        let points = self.series.iter().flat_map(|series| &series.points);
        points.filter(|point| point.is_drawable())
    }

    /// Every value and interval end.
    fn values(&self) -> Vec<f64> {
        let ends = |point: &Point| [point.y, point.interval().0, point.interval().1];
        self.points().flat_map(ends).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert(\"&amp;\")</script> ]]> '\u{0}\u{202e}🚀 名前 λ";

    fn point(x: f64, y: f64, relative: f64) -> Point {
        let (low, high) = (y * (1.0 - relative), y * (1.0 + relative));
        let x_label = Unit::Count.format(x, 0.0);
        Point {
            x,
            x_label,
            y,
            low,
            high,
            note: "n^1.00".to_owned(),
        }
    }

    fn series(name: &str, points: Vec<Point>) -> Series {
        Series {
            name: name.to_owned(),
            emphasised: name.ends_with('0'),
            points,
        }
    }

    fn chart(series: Vec<Series>) -> Chart {
        Chart {
            id: "dag-run/chain".to_owned(),
            title: "What does a scheduler cost when nothing can run in parallel?".to_owned(),
            subtitle: "dag-run/chain · time per run, median · lower is better".to_owned(),
            description: "Time of one run against the number of nodes.".to_owned(),
            x_label: "nodes".to_owned(),
            y_label: "time per run".to_owned(),
            y_unit: Unit::Duration,
            x_scale: Scale::Log,
            y_scale: Scale::Log,
            series,
        }
    }

    /// `count` series that lie close together, with five points each.
    fn many(count: usize, name: &str) -> Chart {
        let points = |index: usize| {
            let cost = 1.7 + (index * 7 % 11) as f64 / 10.0;
            let positions = [10.0, 100.0, 1_000.0, 10_000.0, 100_000.0];
            positions.map(|x| point(x, 80.0 + x * cost, 0.05)).to_vec()
        };
        chart(
            (0..count)
                .map(|index| series(&format!("{name}{index}"), points(index)))
                .collect(),
        )
    }

    /// Charts that are hard to draw, with what is hard about them.
    fn hard() -> Vec<(&'static str, Chart)> {
        let long = "work-stealing-with-64-byte-padded-slo-";
        let mut linear = many(6, "series-");
        (linear.x_scale, linear.y_scale) = (Scale::Linear, Scale::Linear);
        let mut hostile = many(2, HOSTILE);
        let text = || HOSTILE.to_owned();
        (hostile.id, hostile.title, hostile.subtitle) = (text(), HOSTILE.repeat(5), text());
        (hostile.description, hostile.x_label, hostile.y_label) = (text(), text(), text());
        for point in &mut hostile.series[0].points {
            (point.x_label, point.note) = (text(), text());
        }
        let decades = (0..10).map(|index| point(f64::from(index), 10_f64.powi(index), 0.5));
        let mut endless = many(3, "series-");
        endless.series[0].points[0].y = f64::NAN;
        endless.series[1].points[4].high = f64::INFINITY;
        endless.series[2]
            .points
            .iter_mut()
            .for_each(|point| point.x = f64::NEG_INFINITY);
        let crowded = (1..200).map(|x| point(f64::from(x), 5.0, 0.0)).collect();
        let mut endless_names = many(13, &long.repeat(5));
        for series in &mut endless_names.series {
            series
                .points
                .iter_mut()
                .for_each(|point| point.note = long.repeat(3));
        }
        let wide = vec![point(1e-300, 1e300, 0.9), point(1e300, 1e-300, 0.9)];
        let near = vec![point(1.0, 1e6, 0.0), point(2.0, 1e6 + 1e-9, 0.0)];
        let below_zero = vec![
            point(1.0, 5.0, 1.5),
            point(2.0, 0.0, 0.0),
            point(3.0, -7.0, 0.1),
        ];
        vec![
            ("no series", chart(vec![])),
            ("no point", chart(vec![series("empty", vec![])])),
            (
                "one point",
                chart(vec![series("only", vec![point(1_000.0, 1_234.0, 0.1)])]),
            ),
            ("12 series", many(12, "series-")),
            ("60 series", many(60, "series-")),
            ("60 series with names of 40 characters", many(60, long)),
            ("names and notes beyond every limit", endless_names),
            ("linear axes", linear),
            ("hostile text", hostile),
            (
                "nine decades",
                chart(vec![series("steep", decades.collect())]),
            ),
            ("600 decades", chart(vec![series("wide", wide)])),
            (
                "values that differ in the last digit",
                chart(vec![series("near", near)]),
            ),
            ("values that are not finite", endless),
            (
                "200 equal values without intervals",
                chart(vec![series("flat", crowded)]),
            ),
            (
                "zero and negative values",
                chart(vec![series("signed", below_zero)]),
            ),
        ]
    }

    /// A level up to each point of the first series, and a change after each.
    fn changes(chart: &Chart) -> (Vec<Step>, Vec<Mark>) {
        let points = chart
            .series
            .first()
            .map_or(&[][..], |series| &series.points);
        let step = |point: &Point| Step {
            from: point.x,
            to: point.x,
            level: point.y,
        };
        let mark = |(index, point): (usize, &Point)| Mark {
            at: point.x,
            is_rise: index % 2 == 0,
            name: ["0123456", HOSTILE][index % 2].to_owned(),
            change: "+10 % (+9..+11), 100 ns → 110 ns".to_owned(),
            cause: HOSTILE.repeat(index % 4),
        };
        let points = points.iter().filter(|point| point.is_drawable());
        (
            points.clone().map(step).collect(),
            points.enumerate().map(mark).collect(),
        )
    }

    /// Calls `check` with every drawing of every hard chart.
    fn for_all(check: impl Fn(&str, &str)) {
        for (name, chart) in hard() {
            for theme in [Theme::Light, Theme::Dark] {
                check(&format!("line: {name}"), &line(&chart, theme));
                check(&format!("bars: {name}"), &bars(&chart, theme));
                let (steps, marks) = changes(&chart);
                let svg = history(&chart, &steps, &marks, theme);
                check(&format!("history: {name}"), &svg);
            }
        }
    }

    /// Splits markup into tags and the text before each, and checks that tags are balanced, that
    /// attributes are quoted and differ, and that every `&` starts an entity.
    fn tags<'a>(name: &str, svg: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut open = vec![];
        let mut found = vec![];
        let mut rest = svg.trim_end();
        while !rest.is_empty() {
            let (text, after) = rest.split_once('<').expect("a document ends with a tag");
            let (tag, after) = after.split_once('>').expect("a tag is closed");
            for entity in [text, tag].iter().flat_map(|part| part.split('&').skip(1)) {
                let known = ["lt;", "gt;", "amp;", "quot;", "#39;"];
                assert!(
                    known.iter().any(|known| entity.starts_with(known)),
                    "{name}: &{entity}"
                );
            }
            if let Some(closed) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "{name}: closing tag");
            } else {
                let inner = tag.trim_end_matches('/');
                let (element, attributes) = inner.split_once(' ').unwrap_or((inner, ""));
                check_attributes(name, attributes);
                if inner.len() == tag.len() {
                    open.push(element);
                }
            }
            assert_eq!(
                open.is_empty(),
                after.is_empty(),
                "{name}: one root element"
            );
            found.push((text, tag));
            rest = after;
        }
        assert!(open.is_empty(), "{name}: {open:?} stay open");
        found
    }

    fn check_attributes(name: &str, attributes: &str) {
        let mut seen = vec![];
        let mut parts = attributes.split('"');
        while let Some(key) = parts.next() {
            if key.is_empty() {
                continue;
            }
            let key = key
                .trim_start()
                .strip_suffix('=')
                .unwrap_or_else(|| panic!("{name}: {key}"));
            assert!(
                key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
                "{name}: {key}"
            );
            assert!(!seen.contains(&key), "{name}: {key} twice");
            assert!(parts.next().is_some(), "{name}: {key} has a value");
            seen.push(key);
        }
    }

    fn attribute<'a>(tag: &'a str, key: &str) -> Option<&'a str> {
        let (_, value) = tag.split_once(&format!(" {key}=\""))?;
        value.split_once('"').map(|(value, _)| value)
    }

    fn number(tag: &str, key: &str) -> f64 {
        let value = attribute(tag, key).unwrap_or_else(|| panic!("{key} in {tag}"));
        value
            .parse()
            .unwrap_or_else(|_| panic!("{key} in {tag} is a number"))
    }

    /// The boxes `(left, top, right, bottom)` that texts fill, with the texts.
    fn text_boxes(name: &str, svg: &str) -> Vec<((f64, f64, f64, f64), String)> {
        let mut boxes = vec![];
        let (mut start, mut look, mut pieces) = ("", "", vec![]);
        for (text, tag) in tags(name, svg) {
            if !text.trim().is_empty() && !look.is_empty() {
                let bold = attribute(look, "font-weight") == Some("600");
                let font = svg::Font {
                    size: number(look, "font-size"),
                    bold,
                    strong: false,
                };
                let text = text.trim().replace("&lt;", "<").replace("&gt;", ">");
                let text = text.replace("&quot;", "\"").replace("&#39;", "'");
                pieces.push((font, text.replace("&amp;", "&")));
            }
            look = if tag.starts_with("text ") || tag.starts_with("tspan ") {
                tag
            } else {
                ""
            };
            if tag.starts_with("text ") {
                start = tag;
            } else if tag == "/text" {
                let pieces: Vec<_> = std::mem::take(&mut pieces);
                let shown: Vec<_> = pieces.iter().map(|(font, text)| (*font, &**text)).collect();
                let (x, y, width) = (number(start, "x"), number(start, "y"), svg::width(&shown));
                let left = match attribute(start, "text-anchor") {
                    Some("end") => x - width,
                    Some("middle") => x - width / 2.0,
                    _ => x,
                };
                let size = number(start, "font-size");
                let area = (left, y - 0.76 * size, left + width, y + 0.24 * size);
                boxes.push((area, shown.iter().map(|piece| piece.1).collect()));
            }
        }
        assert!(
            boxes.len() >= 4,
            "{name}: title, subtitle and both axes are named"
        );
        boxes
    }

    #[test]
    fn every_drawing_is_well_formed_and_says_what_it_shows() {
        for_all(|name, svg| {
            let tags = tags(name, svg);
            let root = tags[0].1;
            assert!(
                root.starts_with("svg ") && root.contains(" role=\"img\""),
                "{name}: {root}"
            );
            let labels = attribute(root, "aria-labelledby").unwrap_or_default();
            let ids: Vec<_> = labels.split(' ').collect();
            for (id, element) in ids.iter().zip(["title", "desc"]) {
                let tag = format!("{element} id=\"{id}\"");
                assert!(
                    tags.iter().any(|(_, found)| *found == tag),
                    "{name}: <{tag}>"
                );
            }
            assert!(
                !svg.contains("NaN") && !svg.contains("inf"),
                "{name} has only numbers"
            );
        });
    }

    #[test]
    fn no_text_is_cut_off_or_lies_on_another() {
        for_all(|name, svg| {
            let height = number(tags(name, svg)[0].1, "height");
            let boxes = text_boxes(name, svg);
            for (index, ((left, top, right, bottom), text)) in boxes.iter().enumerate() {
                let inside =
                    *left >= 0.0 && *right <= svg::WIDTH && *top >= 0.0 && *bottom <= height;
                assert!(
                    inside,
                    "{name}: `{text}` at {left:.0}..{right:.0}, {top:.0}..{bottom:.0}"
                );
                for (other, text_below) in &boxes[..index] {
                    let apart = *right <= other.0
                        || *left >= other.2
                        || *bottom <= other.1
                        || *top >= other.3;
                    assert!(apart, "{name}: `{text}` lies on `{text_below}`");
                }
            }
        });
    }

    #[test]
    fn no_shape_lies_outside() {
        for_all(|name, svg| {
            let height = number(tags(name, svg)[0].1, "height");
            for (_, tag) in tags(name, svg) {
                let points = attribute(tag, "points").unwrap_or_default();
                for (x, y) in points.split(' ').filter_map(|point| point.split_once(',')) {
                    let at = [x, y].map(|number| number.parse::<f64>().expect("a number") / 10.0);
                    let inside =
                        at[0] >= 0.0 && at[0] <= svg::WIDTH && at[1] >= 0.0 && at[1] <= height;
                    assert!(inside, "{name}: {at:?}");
                }
            }
        });
    }

    #[test]
    fn same_chart_gives_the_same_bytes() {
        for (name, chart) in hard() {
            assert_eq!(
                line(&chart, Theme::Light),
                line(&chart.clone(), Theme::Light),
                "{name}"
            );
            assert_eq!(
                bars(&chart, Theme::Dark),
                bars(&chart.clone(), Theme::Dark),
                "{name}"
            );
        }
    }

    #[test]
    fn scale_that_was_drawn_is_the_scale_that_is_named() {
        let mut chart = many(2, "series-");
        assert!(line(&chart, Theme::Light).contains("· log axes<"));
        let linear = Chart {
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            ..chart.clone()
        };
        assert!(line(&linear, Theme::Light).contains("· axes start at 0<"));
        assert!(bars(&chart, Theme::Light).contains("· log axis<"));
        chart.series[0].points[0].y = 0.0;
        assert!(line(&chart, Theme::Light).contains("· log x axis, y axis starts at 0<"));
        assert!(bars(&chart, Theme::Light).contains("· axis starts at 0<"));
        chart.series[0].points[0].y = -1.0;
        assert!(bars(&chart, Theme::Light).contains("· axis contains 0<"));
    }

    #[test]
    fn series_without_values_is_named_instead_of_dropped() {
        let chart = chart(vec![
            series("empty", vec![]),
            series("one", vec![point(1.0, 1.0, 0.1)]),
        ]);
        for svg in [line(&chart, Theme::Light), bars(&chart, Theme::Light)] {
            assert!(
                svg.contains(">empty<") && svg.contains(">no data<"),
                "{svg}"
            );
        }
    }

    #[test]
    fn bars_are_compared_with_the_best_of_their_group() {
        let at = |y, x_label: &str| Point {
            x_label: x_label.to_owned(),
            ..point(1.0, y, 0.0)
        };
        let fast = series("fast", vec![at(2.0, "a.json"), at(10.0, "b.json")]);
        let slow = series("slow", vec![at(3.0, "a.json"), at(40.0, "b.json")]);
        let svg = bars(&chart(vec![fast, slow]), Theme::Light);
        assert!(
            svg.contains(">a.json<") && svg.contains(">b.json<"),
            "{svg}"
        );
        assert!(
            svg.contains(">1.5× · n^1.00<") && svg.contains(">4.0× · n^1.00<"),
            "{svg}"
        );
        assert_eq!(svg.matches('×').count(), 2, "the best has no ratio: {svg}");
    }
}
