//! Charts: values in, the text of an SVG file out.
//!
//! The same chart gives the same bytes. Plotters draws the shapes; text, which it can neither
//! style in parts nor measure without fonts, is written beside them. There is no file with both
//! themes in it: a page chooses between two files with `<picture>`, because a site's theme and the
//! system's can differ. The background is transparent, and colours are attributes, because
//! renderers that are not browsers ignore style sheets.

mod axis;
mod bars;
mod heat;
mod history;
mod launches;
mod line;
mod multiples;
mod rows;
mod svg;

use std::collections::HashSet;

use crate::format::Unit;

pub(crate) use bars::bars;
pub(crate) use heat::heat;
pub(crate) use history::{Mark, Step, history};
pub(crate) use launches::launches;
pub(crate) use line::line;
pub(crate) use multiples::multiples;

/// The background a chart is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Dark text for a white page.
    Light,
    /// Light text for a nearly black page.
    Dark,
}

/// The colours of series on this background, as `#rrggbb`.
pub(crate) fn colours(theme: Theme) -> [String; 5] {
    svg::Palette::of(theme).series.map(svg::hex)
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
    /// Whether the series do different things: then rows are not compared with each other.
    pub(crate) unrelated: bool,
}

/// One line of a line chart, one row of every group of a bar chart, one row or column of a heat map.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Shown beside the line or bar; over about 40 characters, its middle is left out.
    pub(crate) name: String,
    /// Whether this is the baseline or the recommended series, which gets the first colour.
    pub(crate) emphasised: bool,
    /// The values, in any order. A series without values is labelled `no data`.
    pub(crate) points: Vec<Point>,
    /// The power of x that the values follow, where they do.
    pub(crate) fit: Option<Fit>,
}

/// The function `factor * x^exponent`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fit {
    pub(crate) factor: f64,
    pub(crate) exponent: f64,
}

/// One value with its interval. A point whose `x` or `y` is not finite is not drawn; where there is
/// room, its note says why there is no value.
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
    /// Stands beside the value, unless empty: `12 instructions`; instead of one that is not finite:
    /// `failed`. Lines have no room for the first.
    pub(crate) note: String,
    /// What the value is the median of, where a chart of launches shows it; in any order.
    pub(crate) processes: Vec<f64>,
}

impl Fit {
    fn at(&self, x: f64) -> f64 {
        self.factor * x.powf(self.exponent)
    }

    /// The exponent as it is written: `n^1.01`.
    pub(crate) fn exponent_text(&self) -> String {
        // Without a hundredth there is no sign either.
        let hundredths = (self.exponent * 100.0).round() + 0.0;
        format!("n^{:.2}", hundredths / 100.0)
    }
}

impl Series {
    /// The exponent of the fit as it is written.
    fn power(&self) -> Option<String> {
        self.fit.map(|fit| fit.exponent_text())
    }

    /// The last value, and where there is none: `170 µs`, `no data`, `1.2 ms, failed at 1,000`.
    fn last(&self, unit: Unit) -> String {
        let drawable = self.points.iter().filter(|point| point.is_drawable());
        let last = drawable.max_by(|one, other| one.x.total_cmp(&other.x));
        let absent = self.points.iter();
        let absent: Vec<&Point> = absent
            .filter(|point| !point.is_drawable() && !point.note.is_empty())
            .collect();
        match (last, &absent[..]) {
            (None, []) => "no data".to_owned(),
            (None, [first, ..]) => first.note.clone(),
            (Some(last), []) => last.value_text(unit),
            (Some(last), [one]) => {
                format!("{}, {} at {}", last.value_text(unit), one.note, one.x_label)
            }
            (Some(last), [first, ..]) => format!(
                "{}, {} at {} inputs",
                last.value_text(unit),
                first.note,
                absent.len()
            ),
        }
    }
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

    /// The positions on the x axis as they are written, in order, each once.
    fn positions(&self) -> Vec<&str> {
        let all = self.series.iter().flat_map(|series| &series.points);
        let mut labels: Vec<(f64, &str)> = all.map(|point| (point.x, &*point.x_label)).collect();
        labels.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut seen = HashSet::new();
        labels.retain(|(_, label)| seen.insert(*label));
        labels.into_iter().map(|(_, label)| label).collect()
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
            note: "12 instructions".to_owned(),
            processes: (-3..4)
                .map(|process| y * (1.0 + relative * f64::from(process) / 3.0))
                .collect(),
        }
    }

    fn series(name: &str, points: Vec<Point>) -> Series {
        Series {
            name: name.to_owned(),
            emphasised: name.ends_with('0'),
            points,
            fit: None,
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
            unrelated: false,
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
        let mut failed = many(12, "series-");
        for (index, series) in failed.series.iter_mut().enumerate() {
            for point in series.points.iter_mut().take(index) {
                (point.y, point.note) = (f64::NAN, "failed".to_owned());
            }
        }
        let mut zero = many(5, "series-");
        for point in zero.series.iter_mut().flat_map(|series| &mut series.points) {
            (point.y, point.low, point.high) = (0.0, 0.0, 0.0);
            point.processes.fill(0.0);
        }
        let mut named = many(5, "series-");
        for point in named
            .series
            .iter_mut()
            .flat_map(|series| &mut series.points)
        {
            point.x_label = format!("montage-chameleon-2mass-{}", point.x_label);
        }
        let mut one_input = many(60, "series-");
        for series in &mut one_input.series {
            series.points.truncate(1);
        }
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
            ("5 series", many(5, "series-")),
            ("failed cases", failed),
            ("nothing but zero", zero),
            ("named inputs", named),
            ("60 series at one input", one_input),
            ("names of 300 characters", many(5, &long.repeat(8))),
            ("60 series at 40 inputs", at_inputs(many(60, "series-"), 40)),
            ("1 series at 40 inputs", at_inputs(many(1, "series-"), 40)),
            ("7 series at 40 inputs", at_inputs(many(7, "series-"), 40)),
            ("fitted powers", fitted(many(5, "series-"))),
            ("60 fitted powers", fitted(many(60, long))),
        ]
    }

    /// `chart` with as many points a series.
    fn at_inputs(mut chart: Chart, count: u32) -> Chart {
        for (series, cost) in chart.series.iter_mut().zip(1..) {
            let points = (1..=count).map(|x| {
                let x = f64::from(x * x);
                point(x, 80.0 + x * f64::from(cost), 0.03)
            });
            series.points = points.collect();
        }
        chart
    }

    /// `chart` with values that follow a power, as is said.
    fn fitted(mut chart: Chart) -> Chart {
        for (series, cost) in chart.series.iter_mut().zip(1..) {
            let fit = Fit {
                factor: f64::from(cost),
                exponent: 1.0 + f64::from(cost) / 100.0,
            };
            series.fit = Some(fit);
            for (point, shift) in series.points.iter_mut().zip([1.05, 0.93, 1.02, 1.1, 0.95]) {
                *point = super::tests::point(point.x, fit.at(point.x) * shift, 0.02);
            }
        }
        chart
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

    /// Every kind of drawing of a chart, with its name.
    fn drawings(chart: &Chart, theme: Theme) -> [(&'static str, String); 6] {
        let (steps, marks) = changes(chart);
        [
            ("line", line(chart, theme)),
            ("bars", bars(chart, theme)),
            ("launches", launches(chart, theme)),
            ("heat", heat(&ratios(chart), theme)),
            ("multiples", multiples(chart, theme)),
            ("history", history(chart, &steps, &marks, theme)),
        ]
    }

    /// The chart with ratios to the first series, as a heat map shows them.
    fn ratios(chart: &Chart) -> Chart {
        let mut ratios = chart.clone();
        ratios.y_unit = Unit::Ratio;
        let Some(first) = chart.series.first() else {
            return ratios;
        };
        for series in &mut ratios.series {
            for (point, base) in series.points.iter_mut().zip(&first.points) {
                if point.is_drawable() {
                    point.note = point.value_text(Unit::Duration);
                }
                point.y /= base.y;
                (point.low, point.high) = (point.low / base.y, point.high / base.y);
            }
        }
        ratios
    }

    /// Calls `check` with every drawing of every hard chart.
    fn for_all(themes: &[Theme], check: impl Fn(&str, &str)) {
        for (name, chart) in hard() {
            for theme in themes {
                for (kind, svg) in drawings(&chart, *theme) {
                    check(&format!("{kind}: {name}"), &svg);
                }
            }
        }
    }

    /// Run with `CHARTS=FOLDER cargo test -p gen-benchmarks pictures -- --ignored` after every change
    /// of how charts look, and look at them.
    #[test]
    #[ignore = "writes every drawing to the folder that CHARTS names"]
    fn pictures_to_look_at() {
        let folder = std::path::PathBuf::from(std::env::var_os("CHARTS").expect("CHARTS is set"));
        for (name, chart) in hard() {
            for theme in [Theme::Light, Theme::Dark] {
                for (kind, svg) in drawings(&chart, theme) {
                    let file = format!("{kind} {name} {theme:?}.svg").replace(' ', "-");
                    std::fs::write(folder.join(file), svg).expect("the folder can be written to");
                }
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
        for_all(&[Theme::Light, Theme::Dark], |name, svg| {
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
        for_all(&[Theme::Light], |name, svg| {
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

    /// The corners of lines and areas, and the middles of circles.
    fn corners(name: &str, svg: &str) -> Vec<(f64, f64)> {
        let mut corners = vec![];
        for (_, tag) in tags(name, svg) {
            let points = attribute(tag, "points").unwrap_or_default();
            for (x, y) in points.split(' ').filter_map(|point| point.split_once(',')) {
                let at = [x, y].map(|number| number.parse::<f64>().expect("a number") / 10.0);
                corners.push((at[0], at[1]));
            }
            if tag.starts_with("circle ") {
                corners.push((number(tag, "cx") / 10.0, number(tag, "cy") / 10.0));
            }
        }
        corners
    }

    #[test]
    fn no_shape_lies_outside() {
        for_all(&[Theme::Light], |name, svg| {
            let height = number(tags(name, svg)[0].1, "height");
            for (x, y) in corners(name, svg) {
                let inside = (0.0..=svg::WIDTH).contains(&x) && (0.0..=height).contains(&y);
                assert!(inside, "{name}: {x}, {y}");
            }
        });
    }

    #[test]
    fn no_text_lies_on_a_point_or_on_the_end_of_a_line_or_bar() {
        for_all(&[Theme::Light], |name, svg| {
            // Numbers in cells are meant to; what is defined lies where it is used.
            if name.starts_with("heat") {
                return;
            }
            let shown = svg.split_once("<defs>").map(|(before, defined)| {
                let after = defined.split_once("</defs>").expect("a closing tag").1;
                before.to_owned() + after
            });
            let corners = corners(name, shown.as_deref().unwrap_or(svg));
            for ((left, top, right, bottom), text) in text_boxes(name, svg) {
                for (x, y) in &corners {
                    let on = *x > left && *x < right && *y > top && *y < bottom;
                    assert!(!on, "{name}: `{text}` lies on {x}, {y}");
                }
            }
        });
    }

    #[test]
    fn same_chart_gives_the_same_bytes() {
        for (name, chart) in hard() {
            for theme in [Theme::Light, Theme::Dark] {
                assert_eq!(
                    drawings(&chart, theme),
                    drawings(&chart.clone(), theme),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn scale_that_was_drawn_is_the_scale_that_is_named() {
        let mut chart = many(2, "series-");
        assert!(line(&chart, Theme::Light).contains("· log axes<"));
        assert!(multiples(&chart, Theme::Light).contains("· log axes<"));
        assert!(launches(&chart, Theme::Light).contains("· log axis<"));
        let linear = Chart {
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            ..chart.clone()
        };
        assert!(line(&linear, Theme::Light).contains("· axes start at 0<"));
        assert!(bars(&linear, Theme::Light).contains("· axis starts at 0<"));
        // Series of one input are close to each other, inputs are far apart.
        assert!(bars(&chart, Theme::Light).contains("every group on its own scale<"));
        chart.series[0].points[0].y = 1e6;
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
        for (kind, svg) in &drawings(&chart, Theme::Light)[..5] {
            assert!(svg.contains(">empty<"), "{kind}: {svg}");
            let says = svg.contains(">no data<");
            assert!(says || *kind == "heat", "{kind}: {svg}");
        }
    }

    #[test]
    fn failed_case_says_so_and_one_that_was_not_to_be_measured_has_no_row() {
        let mut failed = point(1.0, f64::NAN, 0.0);
        failed.note = "failed".to_owned();
        let chart = chart(vec![
            series("partly", vec![failed.clone(), point(2.0, 5.0, 0.1)]),
            series("never", vec![failed]),
            series("later", vec![point(2.0, 1.0, 0.1)]),
        ]);
        for svg in [bars(&chart, Theme::Light), launches(&chart, Theme::Light)] {
            assert_eq!(svg.matches(">failed<").count(), 2, "{svg}");
            assert_eq!(svg.matches(">later<").count(), 1, "{svg}");
        }
        for svg in [line(&chart, Theme::Light), multiples(&chart, Theme::Light)] {
            assert!(svg.contains(", failed at 1<"), "{svg}");
            assert_eq!(svg.matches(">failed<").count(), 1, "{svg}");
        }
        let svg = heat(&ratios(&chart), Theme::Light);
        assert_eq!(svg.matches(">failed<").count(), 2, "{svg}");
    }

    #[test]
    fn fitted_exponent_stands_beside_the_name() {
        let svg = line(&fitted(many(2, "series-")), Theme::Light);
        let label = |name: &str| svg.split_once(&format!(">{name}")).expect("a label").1;
        let tspan = |text: &str| {
            text.split_once("</tspan>")
                .expect("a second piece")
                .0
                .to_owned()
        };
        assert!(tspan(label("series-0")).ends_with(">n^1.01"), "{svg}");
        assert!(tspan(label("series-1")).ends_with(">n^1.02"), "{svg}");
    }

    #[test]
    fn panels_share_what_lies_behind_them() {
        let svg = multiples(&many(60, "series-"), Theme::Dark);
        assert_eq!(svg.matches("<defs>").count(), 1);
        assert_eq!(svg.matches("<use href=\"#chart-").count(), 60);
        let ids: Vec<_> = svg.split(" id=\"").skip(1).collect();
        let id = ids
            .iter()
            .find(|id| id.contains("-behind\""))
            .expect("an id");
        let id = id.split('"').next().expect("its value");
        assert!(svg.contains(&format!("href=\"#{id}\"")), "{id}");
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
            svg.contains(">1.5× · 12 instructions<") && svg.contains(">4.0× · 12 instructions<"),
            "{svg}"
        );
        assert_eq!(svg.matches('×').count(), 2, "the best has no ratio: {svg}");
    }
}
