//! Markdown as its blocks: headings, tables, code and text, each with its line.

use std::path::Path;

use super::quantity::{self, Bound, Kind, Quantity};
use super::record::{counts_workers, processors};
use super::row::{Figure, Row};

/// A part of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    Heading(String),
    Table(Table),
    /// Lines between fences.
    Code(Vec<(usize, String)>),
    /// A paragraph or an item of a list, with its line ends.
    Text(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub(super) head: Vec<String>,
    /// Line and cells; as many cells as the head has.
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

/// Whether a text is a document rather than what a tool wrote.
pub(super) fn is_markdown(path: &Path, text: &str) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    if extension.is_some_and(|extension| matches!(extension, "md" | "markdown")) {
        return true;
    }
    let first = text.lines().find(|line| !line.trim().is_empty());
    let structure =
        |line: &str| line.starts_with("```") || line.starts_with("## ") || is_delimiter(line);
    first.is_some_and(|line| line.trim_start_matches('\u{feff}').starts_with("# "))
        && text.lines().any(structure)
}

/// The blocks of a document and their lines.
pub(super) fn parse(text: &str) -> Vec<(usize, Block)> {
    let text = repair(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut blocks = Vec::new();
    let mut paragraph: Option<(usize, String)> = None;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        let bare = unquoted(line);
        at += 1;
        let fence = ["```", "~~~"]
            .into_iter()
            .find(|fence| bare.starts_with(fence));
        let heading = bare.trim_start_matches('#');
        let is_heading = heading.len() < bare.len() && heading.starts_with(' ');
        let is_table = bare.contains('|') && lines.get(at).is_some_and(|next| is_delimiter(next));
        let item = ["- ", "* ", "+ "]
            .into_iter()
            .find_map(|mark| bare.strip_prefix(mark));
        let item = item.or_else(|| {
            let (number, rest) = bare.split_once(". ")?;
            number.parse::<u16>().is_ok().then_some(rest)
        });
        if (bare.is_empty() || fence.is_some() || is_heading || is_table || item.is_some())
            && let Some((line, text)) = paragraph.take()
        {
            blocks.push((line, Block::Text(text)));
        }
        if let Some(fence) = fence {
            let mut code = Vec::new();
            while let Some(line) = lines.get(at) {
                at += 1;
                if line.trim_start().starts_with(fence) {
                    break;
                }
                code.push((at, (*line).to_owned()));
            }
            blocks.push((number, Block::Code(code)));
        } else if is_heading {
            blocks.push((number, Block::Heading(clean(heading))));
        } else if is_table {
            let head = cells(bare);
            let mut rows = Vec::new();
            at += 1;
            while let Some(line) = lines.get(at).filter(|line| line.contains('|')) {
                at += 1;
                let mut row = cells(unquoted(line));
                row.resize(head.len(), String::new());
                rows.push((at, row));
            }
            blocks.push((number, Block::Table(Table { head, rows })));
        } else if let Some(item) = item {
            paragraph = Some((number, clean(item)));
        } else if !bare.is_empty() && !bare.starts_with('<') {
            match &mut paragraph {
                Some((_, text)) => {
                    text.push('\n');
                    text.push_str(&clean(bare));
                }
                None => paragraph = Some((number, clean(bare))),
            }
        }
    }
    if let Some((line, text)) = paragraph {
        blocks.push((line, Block::Text(text)));
    }
    blocks
}

/// A line without white space around it and the signs of a quotation.
fn unquoted(line: &str) -> &str {
    line.trim_start().trim_start_matches('>').trim()
}

/// Whether a line is the one below the head of a table.
fn is_delimiter(line: &str) -> bool {
    let line = unquoted(line);
    line.contains('|') && line.contains('-') && line.chars().all(|c| "|:- ".contains(c))
}

/// The cells of a line, without what makes them bold.
fn cells(line: &str) -> Vec<String> {
    let line = line.strip_prefix('|').unwrap_or(line);
    let line = match line.strip_suffix('|') {
        Some(rest) if !rest.ends_with('\\') => rest,
        _ => line,
    };
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for c in line.chars() {
        match c {
            '|' if !escaped => cells.push(String::new()),
            c => {
                if let Some(cell) = cells.last_mut() {
                    cell.push(c);
                }
            }
        }
        escaped = c == '\\' && !escaped;
    }
    cells.iter().map(|cell| clean(cell)).collect()
}

/// A text without emphasis and escapes; code spans keep their backticks.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => {}
            '\\' if chars.peek().is_some_and(char::is_ascii_punctuation) => {
                clean.extend(chars.next());
            }
            c => clean.push(c),
        }
    }
    clean
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// UTF-8 that somebody took for Windows-1252 and saved again.
fn repair(text: &str) -> String {
    let pairs = [
        ("âœ…", "✅"),
        ("Î¼", "μ"),
        ("Âµ", "µ"),
        ("Â±", "±"),
        ("Ã—", "×"),
        ("â‰¥", "≥"),
        ("â‰¤", "≤"),
        ("â‰ˆ", "≈"),
    ];
    let mut text = text.to_owned();
    for (broken, whole) in pairs {
        if text.contains(broken) {
            text = text.replace(broken, whole);
        }
    }
    text
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Label,
    Time,
    /// Mean, median, a percentile or an extreme of the time.
    Statistic,
    Rate,
    Allocations,
    Bytes,
    Change,
    Share,
    Target,
    Achieved,
    Status,
    Other,
}

impl Table {
    /// What each column is, told by its head and by most of its cells.
    pub(super) fn columns(&self) -> Vec<Column> {
        let columns: Vec<Column> = (0..self.head.len()).map(|at| self.column(at)).collect();
        let has_status = columns.contains(&Column::Target) || columns.contains(&Column::Achieved);
        let figures = |column: &Column| matches!(column, Column::Time | Column::Statistic);
        let timed = columns.iter().position(figures).unwrap_or(usize::MAX);
        let keep = |(at, column): (usize, &Column)| match column {
            // What stands behind the figures is a remark, not a name.
            Column::Label if at > timed => Column::Other,
            Column::Status if !has_status => Column::Other,
            column => *column,
        };
        columns.iter().enumerate().map(keep).collect()
    }

    fn column(&self, at: usize) -> Column {
        let head = self.head[at].to_lowercase();
        let words = quantity::words(&head);
        let any = |names: &[&str]| {
            let mut names = names.iter().flat_map(|name| quantity::words(name));
            names.any(|name| words.contains(&name))
        };
        let quantities: Vec<Quantity> = self.quantities(at).collect();
        let most = |kind: Kind| {
            let count = quantities.iter().filter(|one| one.kind == kind).count();
            count > 0 && count * 2 >= quantities.len()
        };
        let filled = self.rows.iter().filter(|(_, cells)| !cells[at].is_empty());
        let numeric = !quantities.is_empty() && quantities.len() * 2 >= filled.count();
        match () {
            () if any(&["target", "goal", "budget", "limit", "bound", "within"]) => Column::Target,
            () if any(&["achieved", "actual", "measured"]) => Column::Achieved,
            () if any(&["status", "verdict"]) => Column::Status,
            () if at == 0 => Column::Label,
            () if any(&["change", "delta", "diff", "difference"]) && most(Kind::Share) => {
                Column::Change
            }
            () if any(&["share"]) && most(Kind::Share) => Column::Share,
            () if !numeric => Column::Label,
            () if any(&["allocs", "allocations"]) && most(Kind::Bare) => Column::Allocations,
            () if most(Kind::Rate) || self.per_second(&head) => Column::Rate,
            () if most(Kind::Bytes) || head.contains("b/op") => Column::Bytes,
            () if most(Kind::Time)
                || quantity::unit_of_heading(&head).is_some() && most(Kind::Bare) =>
            {
                match any(&[
                    "mean", "median", "avg", "average", "min", "max", "minimum", "maximum", "p",
                ]) {
                    true => Column::Statistic,
                    false => Column::Time,
                }
            }
            () if any(&["worker", "thread", "node", "size", "input", "n"]) => Column::Label,
            () => Column::Other,
        }
    }

    fn per_second(&self, head: &str) -> bool {
        head.contains("throughput") || head.contains("/s") || head.contains("per second")
    }

    /// The figures of a column.
    fn quantities(&self, at: usize) -> impl Iterator<Item = Quantity> {
        let cells = self.rows.iter().map(move |(_, cells)| &cells[at]);
        cells.filter_map(|cell| quantity::cell(cell))
    }

    /// The rows, each with its figures. With several columns of time each gives a row of its own.
    pub(super) fn rows(&self) -> Vec<Row> {
        let columns = self.columns();
        let of = |column: Column| {
            let places = columns.iter().enumerate();
            places.filter_map(move |(at, one)| (*one == column).then_some(at))
        };
        let times: Vec<usize> = of(Column::Time).collect();
        let mut rows = Vec::new();
        for (line, cells) in &self.rows {
            let figure = |at: usize, kind: Kind| figure(&self.head[at], &cells[at], kind);
            let labels: Vec<String> = of(Column::Label)
                .map(|at| cells[at].replace('`', ""))
                .filter(|cell| !cell.is_empty())
                .collect();
            let first_head = self.head[0].to_lowercase();
            for (nth, time) in times.iter().map(|&at| Some(at)).chain([None]).enumerate() {
                if time.is_none() && nth > 0 {
                    continue;
                }
                let mut parts = labels.clone();
                if times.len() > 1
                    && let Some(at) = time
                {
                    parts.push(self.head[at].replace('`', ""));
                }
                let mut row = Row {
                    line: *line,
                    ..Row::default()
                }
                .named(parts);
                row.workers = counts_workers(&row.series)
                    || (first_head.contains("worker") || first_head.contains("thread"))
                        && labels
                            .first()
                            .is_some_and(|label| quantity::cell(label).is_some());
                row.time = time.and_then(|at| figure(at, Kind::Time));
                if times.len() <= 1 {
                    let only =
                        |column: Column, kind: Kind| of(column).find_map(|at| figure(at, kind));
                    row.rate = only(Column::Rate, Kind::Rate);
                    row.allocations = only(Column::Allocations, Kind::Bare);
                    row.bytes = only(Column::Bytes, Kind::Bytes);
                    let more = of(Column::Bytes).skip(1);
                    let more = more.filter_map(|at| Some((Kind::Bytes, figure(at, Kind::Bytes)?)));
                    row.others = more.collect();
                    row.statistics = of(Column::Statistic)
                        .filter_map(|at| Some((self.head[at].clone(), figure(at, Kind::Time)?)))
                        .collect();
                    if row.time.is_none() {
                        row.time = row.statistics.first().map(|(_, figure)| figure.clone());
                    }
                }
                rows.push(row);
            }
        }
        rows
    }
}

/// The figure of a cell below a head, unless it is only a bound.
fn figure(head: &str, cell: &str, kind: Kind) -> Option<Figure> {
    let quantity = quantity::cell(cell)?;
    if quantity.bound != Bound::None {
        return None;
    }
    let mut figure = Figure::of(&quantity, cell);
    if quantity.kind != kind {
        if quantity.kind != Kind::Bare {
            return None;
        }
        let scale = match kind {
            Kind::Time => quantity::unit_of_heading(head)?,
            _ => 1.0,
        };
        for number in [
            &mut figure.point,
            &mut figure.low,
            &mut figure.high,
            &mut figure.place,
        ] {
            *number *= scale;
        }
    }
    Some(figure)
}

/// A result line of Go's benchmarks, wherever it stands.
pub(super) struct Printed<'a> {
    pub(super) name: &'a str,
    pub(super) row: Row,
    /// Metrics of its own, by name.
    pub(super) metrics: Vec<(String, f64)>,
    /// What no tool prints.
    pub(super) strange: Vec<String>,
}

/// The result on a line of code.
pub(super) fn result(line: usize, text: &str) -> Option<Printed<'_>> {
    let mut fields = text.split_whitespace();
    let name = fields.next()?.strip_prefix("Benchmark")?;
    quantity::cell(fields.next()?)?;
    let fields: Vec<&str> = fields.collect();
    let mut found = Printed {
        name,
        row: Row {
            line,
            ..Row::default()
        },
        metrics: Vec::new(),
        strange: Vec::new(),
    };
    let mut at = 0;
    while at < fields.len() {
        let value = fields[at];
        if let Some((unit, number)) = value.split_once(':')
            && let Ok(number) = number.parse()
        {
            found.metrics.push((unit.to_owned(), number));
            found.strange.push(value.to_owned());
            at += 1;
            continue;
        }
        let unit = fields.get(at + 1).copied().unwrap_or_default();
        at += 2;
        let pair = format!("{value} {unit}");
        let Some(quantity) = quantity::cell(&pair) else {
            continue;
        };
        let mut figure = Figure::of(&quantity, &pair);
        figure.written.clone_from(&pair);
        match unit {
            "ns/op" => found.row.time = Some(figure),
            "B/op" => found.row.bytes = Some(figure),
            "allocs/op" => found.row.allocations = Some(figure),
            _ => found.metrics.push((unit.to_owned(), quantity.value)),
        }
    }
    Some(found)
}

/// Names the results of one block of code, without what they share; returns the cores that Go
/// appends to names.
pub(super) fn name_results(results: &mut [Printed<'_>]) -> Option<f64> {
    let names: Vec<&str> = results.iter().map(|result| result.name).collect();
    let cores = processors(&names);
    let suffix = cores.map_or(String::new(), |cores| format!("-{cores}"));
    let paths: Vec<Vec<&str>> = names
        .iter()
        .map(|name| {
            name.strip_suffix(&suffix)
                .unwrap_or(name)
                .split('/')
                .collect()
        })
        .collect();
    let shortest = paths.iter().map(Vec::len).min().unwrap_or(0);
    let shared = (0..shortest.saturating_sub(1))
        .take_while(|&at| paths.iter().all(|path| path[at] == paths[0][at]))
        .count();
    for (result, path) in results.iter_mut().zip(&paths) {
        let parts = path[shared..].iter().map(|&part| part.to_owned()).collect();
        result.row = std::mem::take(&mut result.row).named(parts);
        result.row.workers = counts_workers(&result.row.series);
    }
    cores.map(|cores| cores as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_lines() {
        let text = "# T\n\nOne *two*\nthree\n- a\n- b\n\n> | a | b |\n> |---|--:|\n> | x\\|y | 2 ns |\n\n```\ncode\n```\nend";
        let expected = [
            (1, Block::Heading("T".to_owned())),
            (3, Block::Text("One two\nthree".to_owned())),
            (5, Block::Text("a".to_owned())),
            (6, Block::Text("b".to_owned())),
        ];
        let found = parse(text);
        assert_eq!(found[..4], expected);
        assert_eq!(found[5], (12, Block::Code(vec![(13, "code".to_owned())])));
        assert_eq!(found[6], (15, Block::Text("end".to_owned())));
        assert_eq!(found[4].0, 8);
    }

    fn table(text: &str) -> Table {
        match parse(text).remove(0) {
            (_, Block::Table(table)) => table,
            (_, other) => panic!("no table: {other:?}"),
        }
    }

    #[test]
    fn columns_are_told_by_head_and_cells() {
        let text = "| nodes | series | time ↓ | allocs ↓ | bytes ↓ | node/s ↑ |\n|--|--|--|--|--|--|\n| 1,000 | `a` | **5.8 ns (4.6..6.4)** | 0.5 | 17.4 MiB | 649 M |\n";
        let table = table(text);
        let expected = [
            Column::Label,
            Column::Label,
            Column::Time,
            Column::Allocations,
            Column::Bytes,
            Column::Rate,
        ];
        assert_eq!(table.columns(), expected);
        let row = table.rows().remove(0);
        assert_eq!((row.line, row.parts.join("/")), (3, "1,000/a".to_owned()));
        let time = row.time.unwrap();
        // The ends of the interval are rounded, too.
        assert_eq!((time.low, time.high), (4.55, 6.45));
        assert_eq!(row.rate.unwrap().point, 649e6);
    }

    #[test]
    fn columns_of_time_are_rows_of_their_own_and_units_may_stand_in_the_head() {
        let text = "| size | arena (us) | heap (us) |\n|--|--|--|\n| 8 | 2 | 3 |\n";
        let rows = table(text).rows();
        let shown: Vec<(String, f64)> = rows
            .iter()
            .map(|row| (row.name(), row.time.as_ref().unwrap().point))
            .collect();
        let expected = [("8 arena (us)", 2e3), ("8 heap (us)", 3e3)];
        assert_eq!(shown, expected.map(|(name, time)| (name.to_owned(), time)));
    }

    #[test]
    fn truncated_tables_have_empty_cells() {
        let table = table("| a | b | c |\n|--|--|--|\n| 1\n| 1 | 2 ns | 3 | 4 |\n|");
        assert_eq!(
            table.rows.iter().map(|(_, cells)| cells.len()).max(),
            Some(3)
        );
        assert_eq!(table.rows().len(), 3);
    }
}
