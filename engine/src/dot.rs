//! Graphs as pictures: the DOT language of Graphviz.
//!
//! `dot -Tsvg graph.dot -o graph.svg` draws the result.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::trace::{Nanoseconds, Timeline, label};
use crate::{Dag, NodeId, NodeState, Outcome};

/// What a drawing of a graph shows beside its nodes and edges; the default is nothing.
///
/// # Examples
///
/// ```
/// use engine::dot::Dot;
/// use engine::{Scheduler, Sequential};
///
/// let mut graph = engine::Builder::new();
/// graph.node("fetch", [], |_| Err("no network".into()))?;
/// graph.node("parse", ["fetch"], |_| Ok(()))?;
/// let dag = graph.build()?;
/// let outcome = Sequential.run(&dag);
///
/// let text = Dot { outcome: Some(&outcome), ..Dot::default() }.draw(&dag);
/// assert!(text.contains(r#"n0 [label="fetch\nfailed", shape=octagon"#));
/// assert!(text.contains("n0 -> n1;"));
/// # Ok::<(), engine::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Dot<'d> {
    /// Text above the graph.
    pub title: &'d str,
    /// The state of every node, shown by its shape, line and colour and, unless it completed, by
    /// name.
    pub outcome: Option<&'d Outcome>,
    /// How long every node took, written under its name and shown by how dark it is, and the
    /// critical path, drawn thick. A node is as dark as its share of the longest one's time.
    pub timeline: Option<&'d Timeline>,
}

/// How a state looks: a shape, a style of its line and a colour, so that none is told by its colour
/// alone.
struct Look {
    shape: &'static str,
    style: &'static str,
    color: &'static str,
}

impl Look {
    fn of(state: NodeState) -> Self {
        let (shape, style, color) = match state {
            NodeState::Pending => ("box", "dotted", "#6B7280"),
            NodeState::Completed => ("box", "rounded", "#0072B2"),
            NodeState::Failed => ("octagon", "bold", "#D55E00"),
            NodeState::Panicked => ("doubleoctagon", "bold", "#D55E00"),
            NodeState::TimedOut => ("hexagon", "bold", "#D55E00"),
            NodeState::Cancelled => ("box", "dotted", "#6B7280"),
            NodeState::Skipped => ("box", "dashed", "#6B7280"),
        };
        Self {
            shape,
            style,
            color,
        }
    }
}

impl Dot<'_> {
    /// The text of `dag` in the DOT language: nodes `n0`, `n1` and so on, labelled with their ids.
    ///
    /// Takes O(nodes + edges) time.
    ///
    /// # Panics
    ///
    /// Panics when the outcome or the timeline is that of a graph with other nodes.
    pub fn draw(&self, dag: &Dag) -> String {
        let mut duration_ns = vec![None; dag.len()];
        let mut path_next: Vec<Option<NodeId>> = vec![None; dag.len()];
        let mut on_path = vec![false; dag.len()];
        if let Some(timeline) = self.timeline {
            for span in &timeline.spans {
                duration_ns[span.node.index()] = Some(span.duration_ns());
            }
            let (path, _) = timeline.critical_path(dag);
            for pair in path.windows(2) {
                path_next[pair[0].index()] = Some(pair[1]);
            }
            for node in path {
                on_path[node.index()] = true;
            }
        }
        let longest_ns = duration_ns.iter().flatten().copied().max().unwrap_or(0);

        let mut text = String::from("digraph {\n");
        if !self.title.is_empty() {
            let title = escape(self.title);
            writeln!(
                text,
                "  graph [label=\"{title}\", labelloc=t, fontname=\"sans-serif\"];"
            )
            .expect(STRING);
        }
        text.push_str(
            "  node [shape=box, style=rounded, color=\"#0072B2\", fontname=\"sans-serif\", \
             fontsize=12];\n  edge [color=\"#6B7280\", arrowsize=0.7];\n",
        );
        for node in dag.nodes() {
            let index = node.index();
            write!(text, "  n{index} [label=\"{}", escape(&label(dag, node))).expect(STRING);
            let state = self.outcome.map(|outcome| outcome.state(node));
            if let Some(state) = state.filter(|state| *state != NodeState::Completed) {
                write!(text, "\\n{}", state.name()).expect(STRING);
            }
            if let Some(ns) = duration_ns[index] {
                write!(text, "\\n{}", Nanoseconds(ns as f64)).expect(STRING);
            }
            text.push('"');
            let look = Look::of(state.unwrap_or(NodeState::Completed));
            let mut style = Cow::Borrowed(look.style);
            if let (Some(ns), true) = (duration_ns[index], longest_ns > 0) {
                style = Cow::Owned(format!("{style},filled"));
                let fill = heat(ns as f64 / longest_ns as f64);
                write!(text, ", fillcolor=\"{fill}\"").expect(STRING);
            }
            if state.is_some() || self.timeline.is_some() {
                let Look { shape, color, .. } = look;
                write!(
                    text,
                    ", shape={shape}, style=\"{style}\", color=\"{color}\""
                )
                .expect(STRING);
            }
            if on_path[index] {
                text.push_str(", penwidth=3");
            }
            text.push_str("];\n");
        }
        for node in dag.nodes() {
            let index = node.index();
            for successor in dag.successors(node) {
                let thick = match path_next[index] == Some(successor) {
                    true => " [color=\"#D55E00\", penwidth=3]",
                    false => "",
                };
                writeln!(text, "  n{index} -> n{}{thick};", successor.index()).expect(STRING);
            }
        }
        text.push_str("}\n");
        text
    }
}

const STRING: &str = "a string takes every text";

/// A fill from white to an orange that black text can be read on.
fn heat(share: f64) -> String {
    let mix = |to: f64| (255.0 + share * (to - 255.0)).round() as u8;
    format!("#{:02X}{:02X}{:02X}", mix(240.0), mix(160.0), mix(80.0))
}

/// `text` as part of a quoted label: it is shown as it is.
///
/// In a label a backslash begins an escape, an ampersand a character of HTML, and a line break ends
/// nothing but the line of the file; what cannot be shown becomes a replacement character.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' => escaped.push_str("\\n"),
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
    use crate::{NodeError, Options, Policy, Run, Scheduler, Sequential, Shape, Skip, TimedOut};

    #[track_caller]
    fn check_escape(text: &str, expected: &str) {
        assert_eq!(escape(text), expected);
    }

    #[test]
    fn text_in_a_label_is_shown_as_it_is() {
        check_escape("plain näme", "plain näme");
        check_escape(r#"say "hi""#, r#"say \"hi\""#);
        check_escape(r"C:\new\N", r"C:\\new\\N");
        check_escape(r#"ends with \""#, r#"ends with \\\""#);
        check_escape("&eacute; <b>", "&amp;eacute; &lt;b&gt;");
        check_escape("two\nlines", r"two\nlines");
        check_escape("nul\0 bell\u{7}", "nul\u{FFFD} bell\u{FFFD}");
    }

    fn build(ids: &[(&str, &[usize])], fails: fn(usize) -> Result<(), NodeError>) -> Dag {
        let mut shape = Shape::new();
        for (id, dependencies) in ids {
            shape.push((*id).to_owned(), dependencies.iter().copied());
        }
        let work = |index| move |_: &Run<'_>| fails(index);
        shape.build(arena::Bump::default(), work).unwrap()
    }

    #[test]
    fn graph_alone_is_its_nodes_and_edges() {
        let dag = build(&[("a", &[]), ("b\"", &[0])], |_| Ok(()));
        let expected = r##"digraph {
  graph [label="two \"nodes\"", labelloc=t, fontname="sans-serif"];
  node [shape=box, style=rounded, color="#0072B2", fontname="sans-serif", fontsize=12];
  edge [color="#6B7280", arrowsize=0.7];
  n0 [label="a"];
  n1 [label="b\""];
  n0 -> n1;
}
"##;
        let title = "two \"nodes\"";
        assert_eq!(
            Dot {
                title,
                ..Dot::default()
            }
            .draw(&dag),
            expected
        );
    }

    #[test]
    fn every_state_but_completed_is_named_and_has_its_own_line() {
        let dag = build(
            &[("a", &[]), ("b", &[0]), ("c", &[]), ("d", &[]), ("e", &[])],
            |index| match index {
                0 => Err("broken".into()),
                2 => Err(Skip.into()),
                3 => Err(TimedOut {
                    limit: std::time::Duration::ZERO,
                }
                .into()),
                _ => Ok(()),
            },
        );
        let outcome = Sequential.run(&dag);
        let text = Dot {
            outcome: Some(&outcome),
            ..Dot::default()
        }
        .draw(&dag);
        let lines: Vec<_> = text
            .lines()
            .filter(|line| line.contains("label="))
            .collect();
        let expected = [
            r##"  n0 [label="a\nfailed", shape=octagon, style="bold", color="#D55E00"];"##,
            r##"  n1 [label="b\nskipped", shape=box, style="dashed", color="#6B7280"];"##,
            r##"  n2 [label="c\nskipped", shape=box, style="dashed", color="#6B7280"];"##,
            r##"  n3 [label="d\ntimed out", shape=hexagon, style="bold", color="#D55E00"];"##,
            r##"  n4 [label="e", shape=box, style="rounded", color="#0072B2"];"##,
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn looks_differ_without_their_colour_unless_nothing_ran() {
        let line = |state| {
            let Look { shape, style, .. } = Look::of(state);
            (shape, style)
        };
        for state in NodeState::ALL {
            for other in NodeState::ALL {
                let both_untouched = [state, other]
                    .iter()
                    .all(|state| matches!(state, NodeState::Pending | NodeState::Cancelled));
                if state != other && !both_untouched {
                    assert_ne!(line(state), line(other), "{state:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn timeline_shows_durations_heat_and_the_critical_path() {
        let dag = build(&[("a", &[]), ("b", &[0]), ("c", &[0])], |_| Ok(()));
        let span = |node, start_ns, end_ns| Span {
            worker: 0,
            node: NodeId::from_index(node),
            start_ns,
            end_ns,
            state: NodeState::Completed,
        };
        let timeline = Timeline {
            workers: 1,
            end_ns: 170,
            spans: vec![span(0, 0, 50), span(1, 50, 70), span(2, 70, 170)],
            dropped: 0,
        };
        let text = Dot {
            timeline: Some(&timeline),
            ..Dot::default()
        }
        .draw(&dag);
        assert!(
            text.contains(r##"n2 [label="c\n100 ns", fillcolor="#F0A050""##),
            "{text}"
        );
        assert!(
            text.contains(r##"n1 [label="b\n20 ns", fillcolor="#FCECDC""##),
            "{text}"
        );
        let thick: Vec<_> = text
            .lines()
            .filter(|line| line.contains("penwidth"))
            .collect();
        assert_eq!(thick.len(), 3, "{text}");
        assert!(thick[2].starts_with("  n0 -> n2"), "{text}");
    }

    #[test]
    fn graph_without_ids_is_labelled_with_numbers() {
        let mut graph = crate::IdBuilder::new();
        graph.node([], |_: &Run<'_>| Ok(())).unwrap();
        let dag = graph.build().unwrap();
        let options = Options {
            policy: Policy::Collect,
            ..Options::default()
        };
        Sequential.run_with(&dag, &options, &mut Outcome::new());
        assert!(Dot::default().draw(&dag).contains(r##"n0 [label="#0"]"##));
    }
}
