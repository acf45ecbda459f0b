//! A timeline as a picture: a lane for every worker, a box for every node.
//!
//! Colours are attributes, because renderers that are not browsers ignore style sheets; the only
//! rules are those for a dark background. The picture brings its own background, so it can be read
//! wherever it is shown. Boxes that are narrower than a pixel are merged, so the size of the file is
//! bounded by the size of the picture.

use std::fmt::Write as _;

use super::timeline::{Nanoseconds, label};
use super::{Span, Stats, Timeline};
use crate::{Dag, NodeState};

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 20.0;
/// Where lanes begin and end.
const LEFT: f64 = 92.0;
const RIGHT: f64 = WIDTH - 34.0;
const TOP: f64 = 70.0;
const BOX_HEIGHT: f64 = 24.0;
/// From one lane to the next; below a box there is room for the line of the critical path.
const PITCH: f64 = 36.0;
/// From the top of a box to that line.
const LINE: f64 = BOX_HEIGHT + 4.0;
const FONT: f64 = 11.0;
const MOST_TICKS: u64 = 8;

const FONTS: &str =
    "ui-sans-serif,-apple-system,&quot;Segoe UI&quot;,Inter,&quot;DejaVu Sans&quot;,sans-serif";
/// Rules win over attributes.
const DARK: &str = "@media(prefers-color-scheme:dark){\
.page{fill:#0d1117}.text{fill:#9198a1}.title{fill:#f0f6fc}.grid{stroke:#3d444d}\
.ran{fill:#56B4E9;stroke:#0d1117}.failed{fill:#C39BD3;stroke:#0d1117}\
.stopped{fill:#6B7280;stroke:#0d1117}.hatch{stroke:#0d1117}.inside{fill:#0d1117}\
.skipped{fill:#9198a1}.path{stroke:#FF8C42}}";

impl Timeline {
    /// The run as a picture, SVG: a lane for every worker with a box for every node, the critical
    /// path outlined and connected, and a time axis.
    ///
    /// Nodes that are too narrow for a pixel are drawn together, the darker the more of the time is
    /// theirs. Names are read where they fit; all are in the tool tips. Takes O(n log n + edges)
    /// time for n nodes.
    ///
    /// # Panics
    ///
    /// Panics when a span's node is not in `dag`.
    ///
    /// # Examples
    ///
    /// ```
    /// use engine::trace::Trace;
    /// use engine::{Options, Outcome, Sequential, shape};
    ///
    /// let dag = shape::chain(3).build(arena::Bump::default(), |_| |_: &engine::Run<'_>| Ok(()))?;
    /// let mut trace = Trace::with_capacity(1, dag.len());
    /// let timeline = trace.run(&Sequential, &dag, &Options::default(), &mut Outcome::new());
    /// let svg = timeline.svg(&dag, "A chain of 3 nodes");
    /// assert!(svg.starts_with("<svg ") && svg.contains("node-000002"));
    /// # Ok::<(), engine::BuildError>(())
    /// ```
    pub fn svg(&self, dag: &Dag, title: &str) -> String {
        Picture::new(self, dag).draw(title)
    }
}

struct Picture<'t> {
    timeline: &'t Timeline,
    dag: &'t Dag,
    stats: Stats,
    /// By node, whether it is on the critical path.
    on_path: Vec<bool>,
    lanes: usize,
    /// Everything that is shown has ended by then.
    end_ns: u64,
}

/// What is drawn as one box.
struct Mark<'t> {
    lane: usize,
    start_px: f64,
    end_px: f64,
    kind: Kind,
    nodes: usize,
    busy_ns: u64,
    /// The only node, or the first.
    span: &'t Span,
    on_path: bool,
}

/// How the state of a node is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ran,
    Stopped,
    Failed,
}

impl Kind {
    fn of(state: NodeState) -> Self {
        match state {
            NodeState::Failed | NodeState::Panicked | NodeState::TimedOut => Self::Failed,
            NodeState::Cancelled | NodeState::Skipped => Self::Stopped,
            NodeState::Completed | NodeState::Pending => Self::Ran,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    fn fill(self) -> &'static str {
        match self {
            Self::Ran => "#0072B2",
            Self::Stopped => "#6B7280",
            Self::Failed => "#7A5195",
        }
    }
}

impl Mark<'_> {
    fn width(&self) -> f64 {
        self.end_px - self.start_px
    }
}

impl<'t> Picture<'t> {
    fn new(timeline: &'t Timeline, dag: &'t Dag) -> Self {
        let stats = timeline.stats(dag);
        let mut on_path = vec![false; dag.len()];
        for node in &stats.critical_path {
            on_path[node.index()] = true;
        }
        let spans = &timeline.spans;
        let lanes = spans.iter().map(|span| span.worker + 1).max().unwrap_or(0);
        let end_ns = spans.iter().map(|span| span.end_ns).max().unwrap_or(0);
        Self {
            timeline,
            dag,
            stats,
            on_path,
            lanes: lanes.max(timeline.workers).max(1),
            end_ns: end_ns.max(timeline.end_ns).max(1),
        }
    }

    fn x(&self, ns: u64) -> f64 {
        LEFT + (RIGHT - LEFT) * (ns as f64 / self.end_ns as f64)
    }

    fn draw(&self, title: &str) -> String {
        let bottom = TOP + PITCH * self.lanes as f64;
        let height = bottom + 62.0;
        let mut svg = String::new();
        let out = &mut svg;
        push(
            out,
            format_args!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
                 width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
                 aria-labelledby=\"timeline-title timeline-desc\" font-family=\"{FONTS}\" \
                 font-size=\"12\">\n<title id=\"timeline-title\">{}</title>\n\
                 <desc id=\"timeline-desc\">Which node ran when on which worker. {}</desc>\n\
                 <style>{DARK}</style>\n\
                 <defs><pattern id=\"timeline-hatch\" width=\"6\" height=\"6\" \
                 patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
                 <path class=\"hatch\" d=\"M1 0V6\" stroke=\"#fff\" stroke-width=\"1.5\"/>\
                 </pattern></defs>\n\
                 <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n",
                escape(title),
                escape(&self.stats.to_string()),
            ),
        );
        let shown = shorten_end(&on_one_line(title), WIDTH - 2.0 * MARGIN, 16.0);
        push(
            out,
            format_args!(
                "<text class=\"title\" x=\"{MARGIN}\" y=\"28\" fill=\"#1f2328\" \
                 font-size=\"16\" font-weight=\"600\">{}</text>\n\
                 <text class=\"text\" x=\"{MARGIN}\" y=\"48\" fill=\"#59636e\">{}</text>\n",
                escape(&shown),
                escape(&self.subtitle()),
            ),
        );
        self.axis(out, bottom);
        let marks = self.marks();
        self.boxes(out, &marks);
        self.skipped(out);
        self.path(out, &marks);
        self.labels(out, &marks);
        self.legend(out, bottom + 46.0, &marks);
        svg.push_str("</svg>\n");
        svg
    }

    fn subtitle(&self) -> String {
        let Stats {
            nodes,
            workers,
            makespan_ns,
            critical_path_ns,
            dropped,
            ..
        } = self.stats;
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let mut text = format!(
            "{nodes} node{} on {workers} worker{} in {} · critical path {} · {:.0} % of the workers' \
             time in nodes · overhead {} a node",
            plural(nodes),
            plural(workers),
            Nanoseconds(makespan_ns as f64),
            Nanoseconds(critical_path_ns as f64),
            100.0 * self.stats.utilisation(),
            Nanoseconds(self.stats.overhead_per_node_ns()),
        );
        if dropped > 0 {
            push(&mut text, format_args!(" · {dropped} not recorded"));
        }
        text
    }

    /// Lane names, grid and ticks.
    fn axis(&self, out: &mut String, bottom: f64) {
        let step_ns = tick_step(self.end_ns);
        let (unit_ns, unit) = match self.end_ns {
            0..1_000 => (1.0, "ns"),
            1_000..1_000_000 => (1e3, "µs"),
            1_000_000..1_000_000_000 => (1e6, "ms"),
            _ => (1e9, "s"),
        };
        out.push_str("<g class=\"grid\" stroke=\"#d1d9e0\">\n");
        let top = TOP - 6.0;
        for at_ns in (0..=self.end_ns).step_by(step_ns as usize) {
            let x = self.x(at_ns);
            push(
                out,
                format_args!("<path d=\"M{x:.1} {top}V{bottom:.1}\"/>\n"),
            );
        }
        out.push_str("</g>\n<g class=\"text\" fill=\"#59636e\" text-anchor=\"middle\">\n");
        let y = bottom + 16.0;
        for at_ns in (0..=self.end_ns).step_by(step_ns as usize) {
            let x = self.x(at_ns);
            let tick = match at_ns {
                0 => "0".to_owned(),
                _ => format!("{} {unit}", at_ns as f64 / unit_ns),
            };
            push(
                out,
                format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\">{tick}</text>\n"),
            );
        }
        out.push_str("</g>\n<g class=\"text\" fill=\"#59636e\" text-anchor=\"end\">\n");
        for lane in 0..self.lanes {
            let y = lane_y(lane) + BOX_HEIGHT / 2.0 + 4.0;
            let x = LEFT - 10.0;
            push(
                out,
                format_args!("<text x=\"{x}\" y=\"{y:.1}\">worker {lane}</text>\n"),
            );
        }
        out.push_str("</g>\n");
    }

    /// What is drawn as boxes: nodes that ran, merged while they are narrower than a pixel.
    fn marks(&self) -> Vec<Mark<'t>> {
        let mut marks: Vec<Mark<'t>> = Vec::new();
        // By lane and kind, the box that the next narrow node may be merged into. A failure among
        // many nodes that completed is drawn above them, not lost in them.
        let mut narrow = vec![[None; 3]; self.lanes];
        for span in &self.timeline.spans {
            if is_skipped(span) {
                continue;
            }
            let kind = Kind::of(span.state);
            let mark = Mark {
                lane: span.worker,
                start_px: self.x(span.start_ns),
                end_px: self.x(span.end_ns),
                kind,
                nodes: 1,
                busy_ns: span.duration_ns(),
                span,
                on_path: self.on_path[span.node.index()],
            };
            if mark.width() >= 1.0 {
                narrow[span.worker] = [None; 3];
                marks.push(mark);
                continue;
            }
            let place = &mut narrow[span.worker][kind as usize];
            match place.map(|index: usize| &mut marks[index]) {
                Some(last) if mark.start_px - last.end_px < 1.0 => {
                    last.end_px = mark.end_px;
                    last.nodes += 1;
                    last.busy_ns += mark.busy_ns;
                }
                _ => {
                    *place = Some(marks.len());
                    marks.push(mark);
                }
            }
        }
        marks
    }

    fn boxes(&self, out: &mut String, marks: &[Mark<'_>]) {
        for kind in [Kind::Ran, Kind::Stopped, Kind::Failed] {
            if marks.iter().all(|mark| mark.kind != kind) {
                continue;
            }
            let (class, fill) = (kind.class(), kind.fill());
            push(
                out,
                format_args!(
                    "<g class=\"{class}\" fill=\"{fill}\" stroke=\"#fff\" stroke-width=\".5\">\n"
                ),
            );
            for mark in marks.iter().filter(|mark| mark.kind == kind) {
                let (x, y, width) = (mark.start_px, lane_y(mark.lane), mark.width().max(1.0));
                let opacity = match mark.nodes {
                    1 => String::new(),
                    _ => format!(" fill-opacity=\"{:.2}\"", 0.3 + 0.7 * self.busy_share(mark)),
                };
                push(
                    out,
                    format_args!(
                        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                         height=\"{BOX_HEIGHT}\"{opacity}><title>{}</title></rect>\n",
                        escape(&self.tool_tip(mark))
                    ),
                );
                if kind != Kind::Ran {
                    push(
                        out,
                        format_args!(
                            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                             height=\"{BOX_HEIGHT}\" fill=\"url(#timeline-hatch)\" \
                             pointer-events=\"none\"/>\n"
                        ),
                    );
                }
            }
            out.push_str("</g>\n");
        }
    }

    /// How much of the time a box covers was spent in its nodes, from 0 to 1.
    fn busy_share(&self, mark: &Mark<'_>) -> f64 {
        let covered_ns = mark.width() / (RIGHT - LEFT) * self.end_ns as f64;
        (mark.busy_ns as f64 / covered_ns.max(1.0)).min(1.0)
    }

    fn tool_tip(&self, mark: &Mark<'_>) -> String {
        let took = Nanoseconds(mark.busy_ns as f64);
        let name = label(self.dag, mark.span.node);
        match mark.nodes {
            1 => format!("{name}: {took}, {}", mark.span.state.name()),
            nodes => format!("{nodes} nodes from {name} on: {took} together"),
        }
    }

    /// A small triangle above its lane for every node that was skipped, at most one a pixel.
    fn skipped(&self, out: &mut String) {
        out.push_str("<g class=\"skipped\" fill=\"#59636e\">\n");
        let mut last_px = vec![f64::MIN; self.lanes];
        for span in self.timeline.spans.iter().filter(|span| is_skipped(span)) {
            let x = self.x(span.start_ns);
            if x - last_px[span.worker] < 1.0 {
                continue;
            }
            last_px[span.worker] = x;
            let (left, right, y) = (x - 3.0, x + 3.0, lane_y(span.worker) - 1.0);
            let top = y - 5.0;
            push(
                out,
                format_args!(
                    "<path d=\"M{left:.1} {top:.1}H{right:.1}L{x:.1} {y:.1}Z\">\
                     <title>{}: skipped</title></path>\n",
                    escape(&label(self.dag, span.node))
                ),
            );
        }
        out.push_str("</g>\n");
    }

    /// The critical path: outlines of its nodes, and a line below them that leads from one to the
    /// next.
    fn path(&self, out: &mut String, marks: &[Mark<'_>]) {
        out.push_str(
            "<g class=\"path\" fill=\"none\" stroke=\"#D55E00\" stroke-linejoin=\"round\" \
             pointer-events=\"none\">\n",
        );
        let outlined = |mark: &&Mark<'_>| mark.on_path && mark.nodes == 1 && mark.width() >= 4.0;
        for mark in marks.iter().filter(outlined) {
            push(
                out,
                format_args!(
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{}\" \
                     stroke-width=\"2\"/>\n",
                    mark.start_px + 1.0,
                    lane_y(mark.lane) + 1.0,
                    mark.width() - 2.0,
                    BOX_HEIGHT - 2.0
                ),
            );
        }
        let mut span_of = vec![None; self.dag.len()];
        for span in &self.timeline.spans {
            span_of[span.node.index()] = Some(span);
        }
        let spans = self.stats.critical_path.iter();
        let spans = spans.filter_map(|node| span_of[node.index()]);
        // From one node to the next the line waits below the first, where it crosses no name, and
        // changes lanes when the next one starts.
        let mut before_y = None;
        let points = spans.flat_map(|span| {
            let (start, y) = (self.x(span.start_ns), lane_y(span.worker) + LINE);
            let waited = (start, before_y.replace(y).unwrap_or(y));
            [waited, (start, y), (self.x(span.end_ns), y)]
        });
        let points = thin(points);
        if let Some(((x, y), rest)) = points.split_first() {
            push(
                out,
                format_args!("<path stroke-width=\"3\" d=\"M{x:.1} {y:.1}"),
            );
            for (x, y) in rest {
                push(out, format_args!("L{x:.1} {y:.1}"));
            }
            out.push_str("\"/>\n");
        }
        out.push_str("</g>\n");
    }

    fn labels(&self, out: &mut String, marks: &[Mark<'_>]) {
        push(
            out,
            format_args!(
                "<g class=\"inside\" fill=\"#fff\" font-size=\"{FONT}\" text-anchor=\"middle\" \
                 pointer-events=\"none\">\n"
            ),
        );
        for mark in marks.iter().filter(|mark| mark.nodes == 1) {
            // What is hatched is labelled by its tool tip.
            if mark.kind != Kind::Ran {
                continue;
            }
            let name = on_one_line(&label(self.dag, mark.span.node));
            let Some(shown) = shorten_middle(&name, mark.width() - 8.0, FONT) else {
                continue;
            };
            let x = (mark.start_px + mark.end_px) / 2.0;
            let y = lane_y(mark.lane) + BOX_HEIGHT / 2.0 + 4.0;
            push(
                out,
                format_args!(
                    "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n",
                    escape(&shown)
                ),
            );
        }
        out.push_str("</g>\n");
    }

    /// What the marks that occur mean.
    fn legend(&self, out: &mut String, y: f64, marks: &[Mark<'_>]) {
        let mut x = LEFT;
        let mut entry = |out: &mut String, sample: &dyn Fn(f64, f64) -> String, text: &str| {
            let (baseline, top) = (y, y - 10.0);
            push(
                out,
                format_args!(
                    "{}<text class=\"text\" x=\"{:.1}\" y=\"{baseline:.1}\" \
                     fill=\"#59636e\">{text}</text>\n",
                    sample(x, top),
                    x + 24.0
                ),
            );
            x += 24.0 + text_width(text, 12.0) + 22.0;
        };
        let filled = |kind: Kind, opacity: f64| {
            move |x: f64, top: f64| {
                let (class, fill) = (kind.class(), kind.fill());
                let rect = format!("<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"18\" height=\"12\"");
                let mut sample = format!(
                    "{rect} class=\"{class}\" fill=\"{fill}\" fill-opacity=\"{opacity}\"/>"
                );
                if kind != Kind::Ran {
                    push(
                        &mut sample,
                        format_args!("{rect} fill=\"url(#timeline-hatch)\"/>"),
                    );
                }
                sample
            }
        };
        let has = |kind| marks.iter().any(|mark| mark.kind == kind);
        if marks
            .iter()
            .any(|mark| mark.nodes == 1 && mark.kind == Kind::Ran)
        {
            entry(out, &filled(Kind::Ran, 1.0), "a node");
        }
        if marks.iter().any(|mark| mark.nodes > 1) {
            entry(out, &filled(Kind::Ran, 0.6), "several, darker when busier");
        }
        if has(Kind::Failed) {
            entry(out, &filled(Kind::Failed, 1.0), "failed");
        }
        if has(Kind::Stopped) {
            entry(out, &filled(Kind::Stopped, 1.0), "stopped");
        }
        if self.timeline.spans.iter().any(is_skipped) {
            let sample = |x: f64, top: f64| {
                let (middle, right, bottom) = (x + 9.0, x + 13.0, top + 10.0);
                let (left, top) = (x + 5.0, top + 3.0);
                format!(
                    "<path class=\"skipped\" fill=\"#59636e\" \
                     d=\"M{left:.1} {top:.1}H{right:.1}L{middle:.1} {bottom:.1}Z\"/>"
                )
            };
            entry(out, &sample, "skipped");
        }
        if !self.stats.critical_path.is_empty() {
            let sample = |x: f64, top: f64| {
                let (y, right) = (top + 6.0, x + 18.0);
                format!(
                    "<path class=\"path\" stroke=\"#D55E00\" stroke-width=\"3\" \
                     d=\"M{x:.1} {y:.1}H{right:.1}\"/>"
                )
            };
            let nodes = self.stats.critical_path.len();
            let plural = if nodes == 1 { "" } else { "s" };
            entry(
                out,
                &sample,
                &format!("critical path, {nodes} node{plural}"),
            );
        }
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes every text");
}

fn is_skipped(span: &Span) -> bool {
    span.state == NodeState::Skipped && span.duration_ns() == 0
}

fn lane_y(lane: usize) -> f64 {
    TOP + PITCH * lane as f64
}

/// The distance of ticks: 1, 2 or 5 times a power of ten, so that there are at most
/// [`MOST_TICKS`] and one more at 0.
fn tick_step(end_ns: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for digit in [1, 2, 5] {
            let step = power.saturating_mul(digit);
            if end_ns / step <= MOST_TICKS {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Leaves out points that the eye cannot tell apart: of those within half a pixel, four at most.
fn thin(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut thinned: Vec<(f64, f64)> = Vec::new();
    let mut column_px = f64::MIN;
    let mut in_column = 0;
    for (x, y) in points {
        if x - column_px >= 0.5 {
            // On one level the points in between say nothing.
            if let [.., (_, before), (last_x, last)] = &mut thinned[..]
                && *before == y
                && *last == y
            {
                *last_x = x;
            } else {
                thinned.push((x, y));
            }
            (column_px, in_column) = (x, 1);
        } else if in_column < 4 && thinned.last().is_none_or(|(_, last)| *last != y) {
            thinned.push((x, y));
            in_column += 1;
        }
    }
    thinned
}

/// How wide a text is, in pixels, as far as one can say without the font: the widths are those of a
/// wide one, DejaVu Sans.
fn text_width(text: &str, size: f64) -> f64 {
    let em = |character: char| match character {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | ' ' | '-' => 0.35,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 1.0,
        'A'..='Z' => 0.74,
        ' '..='~' => 0.64,
        _ => 1.0,
    };
    text.chars().map(em).sum::<f64>() * size
}

fn on_one_line(text: &str) -> String {
    text.replace(['\n', '\r', '\t'], " ")
}

/// The text, or its beginning when it is too wide.
fn shorten_end(text: &str, width: f64, size: f64) -> String {
    let mut shown = text.to_owned();
    let mut kept: Vec<char> = text.chars().collect();
    while text_width(&shown, size) > width && kept.pop().is_some() {
        shown = kept.iter().chain(&['…']).collect();
    }
    shown
}

/// The text, or its beginning and end when it is too wide; nothing when less than five characters
/// would be left. Names of nodes often begin alike and end with a number.
fn shorten_middle(text: &str, width: f64, size: f64) -> Option<String> {
    if text_width(text, size) <= width {
        return Some(text.to_owned());
    }
    let characters: Vec<char> = text.chars().collect();
    // What does not fit at its narrowest need not be tried.
    let most = characters.len().min((width / (0.35 * size)) as usize + 1);
    (5..most).rev().find_map(|kept| {
        let begin = kept / 2;
        let end = characters.len() - (kept - begin);
        let shown: String = characters[..begin]
            .iter()
            .chain(&['…'])
            .chain(&characters[end..])
            .collect();
        (text_width(&shown, size) <= width).then_some(shown)
    })
}

/// `text` as the content of an element or attribute; what XML cannot hold becomes a replacement
/// character.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            _ if character.is_control() => escaped.push('\u{FFFD}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Span;
    use crate::{NodeId, Run, Shape};

    /// `ids` in a chain and their timeline.
    fn example(
        workers: usize,
        ids: &[String],
        span: impl Fn(usize) -> (usize, u64, u64, NodeState),
    ) -> (Dag, Timeline) {
        let mut shape = Shape::new();
        for (index, id) in ids.iter().enumerate() {
            shape.push(id.clone(), index.checked_sub(1));
        }
        let work = |_| |_: &Run<'_>| Ok(());
        let dag = shape.build(arena::Bump::default(), work).unwrap();
        let spans: Vec<_> = (0..ids.len())
            .map(|index| {
                let (worker, start_ns, end_ns, state) = span(index);
                Span {
                    worker,
                    node: NodeId::from_index(index as u32),
                    start_ns,
                    end_ns,
                    state,
                }
            })
            .collect();
        let timeline = Timeline {
            workers,
            end_ns: spans.last().map_or(0, |span| span.end_ns),
            spans,
            dropped: 0,
        };
        (dag, timeline)
    }

    fn ids(nodes: usize) -> Vec<String> {
        (0..nodes).map(|node| format!("node-{node:06}")).collect()
    }

    fn count(text: &str, part: &str) -> usize {
        text.matches(part).count()
    }

    #[test]
    fn picture_of_two_nodes_is_the_stored_one() {
        let ids = ["fetch".to_owned(), "parse & <check>".to_owned()];
        let (dag, timeline) = example(2, &ids, |node| match node {
            0 => (0, 0, 400, NodeState::Completed),
            _ => (1, 500, 1_000, NodeState::Completed),
        });
        let svg = timeline.svg(&dag, "Two \"nodes\"");
        let stored = include_str!("timeline.svg");
        assert_eq!(
            svg, stored,
            "write the picture to timeline.svg if it is right"
        );
    }

    #[test]
    fn every_node_that_is_wide_enough_has_its_own_box() {
        let (dag, timeline) = example(2, &ids(50), |node| {
            let start_ns = 100 * node as u64;
            (node % 2, start_ns, start_ns + 100, NodeState::Completed)
        });
        let svg = timeline.svg(&dag, "");
        for id in ids(50) {
            assert_eq!(
                count(&svg, &format!("<title>{id}: 100 ns, completed")),
                1,
                "{id}"
            );
        }
    }

    #[test]
    fn boxes_below_a_pixel_are_merged_so_the_file_stays_small() {
        let (dag, timeline) = example(2, &ids(100_000), |node| {
            let start_ns = 10 * node as u64;
            (node % 2, start_ns, start_ns + 8, NodeState::Completed)
        });
        let svg = timeline.svg(&dag, "");
        assert!(svg.contains("<title>50000 nodes from node-000000 on: 400 µs together"));
        assert!(svg.len() < 100_000, "{} bytes", svg.len());
    }

    #[test]
    fn failure_among_many_nodes_has_a_box_of_its_own() {
        let (dag, timeline) = example(1, &ids(10_000), |node| {
            let state = match node {
                5_000 => NodeState::Failed,
                _ => NodeState::Completed,
            };
            (0, node as u64, node as u64 + 1, state)
        });
        let svg = timeline.svg(&dag, "");
        assert!(svg.contains("<title>9999 nodes from node-000000 on: 10.0 µs together"));
        assert!(svg.contains("<title>node-005000: 1 ns, failed"));
        assert_eq!(count(&svg, ">failed</text>"), 1);
    }

    #[test]
    fn skipped_nodes_are_triangles_in_the_picture_and_the_legend() {
        let (dag, timeline) = example(1, &ids(3), |node| match node {
            0 => (0, 0, 100, NodeState::Failed),
            _ => (0, 100, 100, NodeState::Skipped),
        });
        let svg = timeline.svg(&dag, "");
        assert_eq!(count(&svg, ": skipped</title>"), 1, "one a pixel");
        assert_eq!(count(&svg, ">skipped</text>"), 1);
        assert_eq!(count(&svg, ">failed</text>"), 1);
    }

    #[test]
    fn timeline_of_nothing_is_still_a_picture() {
        let (dag, timeline) = example(0, &[], |_| unreachable!("there are no nodes"));
        let svg = timeline.svg(&dag, "Nothing");
        assert!(svg.contains("0 nodes on 0 workers in 0 ns") && svg.ends_with("</svg>\n"));
    }

    #[track_caller]
    fn check_step(end_ns: u64, step_ns: u64) {
        assert_eq!(tick_step(end_ns), step_ns);
    }

    #[test]
    fn ticks_are_round_and_few() {
        check_step(1, 1);
        check_step(8, 1);
        check_step(9, 2);
        check_step(41_200_000, 5_000_000);
        check_step(u64::MAX, 5_000_000_000_000_000_000);
    }

    #[track_caller]
    fn check_middle(text: &str, width: f64, shown: Option<&str>) {
        assert_eq!(shorten_middle(text, width, 10.0).as_deref(), shown);
    }

    #[test]
    fn names_that_do_not_fit_keep_their_beginning_and_end() {
        check_middle("node-000012", 80.0, Some("node-000012"));
        check_middle("node-000012", 55.0, Some("nod…0012"));
        check_middle("node-000012", 20.0, None);
        check_middle("", 20.0, Some(""));
        assert_eq!(shorten_end("a long title", 50.0, 10.0), "a long …");
    }

    #[test]
    fn line_goes_through_few_points_of_one_pixel() {
        let zigzag = (0..1_000).map(|point| (0.0001 * point as f64, (point % 2) as f64));
        assert_eq!(thin(zigzag).len(), 4);
        let straight = (0..1_000).map(|point| (point as f64, 7.0));
        assert_eq!(thin(straight), [(0.0, 7.0), (999.0, 7.0)]);
        let step = [(0.0, 0.0), (5.0, 0.0), (9.0, 1.0), (20.0, 1.0)];
        assert_eq!(thin(step.into_iter()), step);
    }

    #[test]
    fn names_from_outside_cannot_break_the_markup() {
        let ids = ["</svg><script>\u{1}\"".to_owned()];
        let (dag, timeline) = example(1, &ids, |_| (0, 0, 10, NodeState::Completed));
        let svg = timeline.svg(&dag, "</title>\nnext");
        assert!(svg.contains(">&lt;/title&gt; next</text>"));
        assert_eq!(count(&svg, "<script>") + count(&svg, "\u{1}"), 0);
        assert_eq!(count(&svg, "</svg>"), 1);
    }
}
