//! The Markdown that the report is written in, as HTML and as pieces of text.
//!
//! Sentences are made once, for `BENCHMARKS.md`; they are turned into what a page needs, so that the
//! two cannot disagree. Markup in them is text, as are the names in them.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::markdown::{anchor, attribute};

/// A sentence as pieces, each with a letter before it: `t`ext, `c`ode, `s`trong.
pub(super) fn pieces(markdown: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut kind = 't';
    let mut push = |kind: char, text: &str| match pieces.last_mut() {
        Some(last) if kind != 'c' && last.starts_with(kind) => last.push_str(text),
        _ => pieces.push(format!("{kind}{text}")),
    };
    // What begins a line begins no sentence: `1. of` is no list.
    let line = format!("{LEAD}{markdown}");
    for event in Parser::new(&line) {
        match event {
            Event::Start(Tag::Strong) => kind = 's',
            Event::End(TagEnd::Strong) => kind = 't',
            Event::Code(text) => push('c', &text),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => push(kind, &text),
            Event::SoftBreak | Event::HardBreak => push(kind, " "),
            _ => {}
        }
    }
    if let Some(first) = pieces.first_mut() {
        *first = format!("t{}", first[1..].strip_prefix(LEAD).unwrap_or_default());
    }
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

/// Text that begins no list, heading or quote.
const LEAD: &str = ". ";

/// A sentence without its markup.
pub(super) fn plain(markdown: &str) -> String {
    pieces(markdown).iter().map(|piece| &piece[1..]).collect()
}

/// Sections as HTML. Headings get the ids that links in Markdown expect; markup is text, but for what
/// folds a table away.
pub(super) fn html(markdown: &str) -> String {
    let mut page = Writer::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        page.event(event);
    }
    page.html
}

#[derive(Default)]
struct Writer {
    html: String,
    /// Where the heading that is open begins.
    heading: usize,
    /// Where the head of the table that is open begins, and whether anything stands in it.
    head: Option<(usize, bool)>,
    /// Links that lead out of the page are text.
    is_linked: bool,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text),
            Event::Code(text) => {
                self.push("<code>");
                self.text(&text);
                self.push("</code>");
            }
            Event::Html(text) | Event::InlineHtml(text) => self.fold(text.trim()),
            Event::SoftBreak | Event::HardBreak => self.push("\n"),
            Event::Rule => self.push("<hr>\n"),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } => self.heading = self.html.len(),
            Tag::Table(_) => self.push("<div class=\"scroll\"><table>"),
            Tag::TableHead => {
                self.head = Some((self.html.len(), false));
                self.push("<thead><tr>");
            }
            Tag::TableCell if self.head.is_some() => self.push("<th scope=\"col\">"),
            Tag::Link { dest_url, .. } => {
                self.is_linked = dest_url.starts_with('#');
                if self.is_linked {
                    self.push(&format!("<a href=\"{}\">", attribute(&dest_url)));
                }
            }
            other => {
                if let Some(name) = name(other.to_end()) {
                    self.push(&format!("<{name}>"));
                }
            }
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let title = self.html.split_off(self.heading);
                let id = attribute(&anchor(&unescaped(&title)));
                // The page has its own h1, and groups are h3.
                let name = match level {
                    HeadingLevel::H1 | HeadingLevel::H2 => "h2",
                    _ => "h3",
                };
                self.push(&format!("<{name} id=\"{id}\">{title}</{name}>\n"));
            }
            TagEnd::Table => self.push("</tbody></table></div>\n"),
            TagEnd::TableHead => {
                match self.head.take() {
                    // A head without words tells a listener nothing.
                    Some((start, false)) => self.html.truncate(start),
                    _ => self.push("</tr></thead>"),
                }
                self.push("<tbody>\n");
            }
            TagEnd::TableCell if self.head.is_some() => self.push("</th>"),
            TagEnd::Link => {
                if self.is_linked {
                    self.push("</a>");
                }
            }
            other => {
                if let Some(name) = name(other) {
                    self.push(&format!("</{name}>"));
                }
            }
        }
    }

    fn text(&mut self, text: &str) {
        if let Some((_, is_filled)) = &mut self.head {
            *is_filled |= !text.trim().is_empty();
        }
        self.html.push_str(&attribute(text));
    }

    /// Markup of our own; all other is text.
    fn fold(&mut self, markup: &str) {
        if markup == "</details>" {
            return self.push("</details>\n");
        }
        let summary = markup
            .strip_prefix("<details><summary>")
            .and_then(|rest| rest.strip_suffix("</summary>"));
        match summary {
            Some(summary) => {
                let summary = attribute(summary);
                self.push(&format!("<details><summary>{summary}</summary>\n"));
            }
            None => self.text(markup),
        }
    }

    fn push(&mut self, html: &str) {
        self.html.push_str(html);
    }
}

/// The element of a tag that has no attributes here.
fn name(tag: TagEnd) -> Option<&'static str> {
    Some(match tag {
        TagEnd::Paragraph => "p",
        TagEnd::BlockQuote(_) => "blockquote",
        TagEnd::List(_) => "ul",
        TagEnd::Item => "li",
        TagEnd::TableRow => "tr",
        TagEnd::TableCell => "td",
        TagEnd::Strong => "strong",
        TagEnd::Emphasis => "em",
        TagEnd::CodeBlock => "pre",
        _ => return None,
    })
}

/// The text of a heading, of which the id is made.
fn unescaped(html: &str) -> String {
    html.replace("<code>", "")
        .replace("</code>", "")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::{cell, code, prose, text};

    const HOSTILE: &str = "</script><b onload=\"x\">&amp; `tick` [a](javascript:b) | * _ \u{2028}";

    #[test]
    fn names_in_sentences_become_pieces_of_code_as_they_were() {
        let sentence = format!("{} takes *3 ns* at {}.", code("a`b"), code("<1>"));
        let expected = ["ca`b", "t takes 3 ns at ", "c<1>", "t."];
        assert_eq!(pieces(&sentence), expected);
        assert_eq!(plain(&text(HOSTILE)), HOSTILE.trim());
        assert_eq!(plain(&prose("1. of `2`, # 3")), "1. of 2, # 3");
        assert_eq!(plain(""), "");
        assert_eq!(pieces("**Held** for"), ["sHeld", "t for"]);
    }

    #[test]
    fn hostile_names_stay_text_wherever_they_stand() {
        let hostile = text(HOSTILE);
        let page = format!(
            "## {hostile}\n\n| {hostile} | b |\n|---|--:|\n| {} | {hostile} |\n\n- {hostile}\n\n{HOSTILE}\n\n<script>alert(1)</script>\n",
            cell(HOSTILE)
        );
        let html = html(&page);
        let tags: Vec<&str> = html
            .split('<')
            .skip(1)
            .map(|rest| rest.split(['>', ' ']).next().unwrap())
            .collect();
        let known = [
            "h2", "div", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "p", "code",
            "pre", "em",
        ];
        for tag in tags {
            assert!(
                known.contains(&tag.trim_start_matches('/')),
                "<{tag}: {html}"
            );
        }
        assert!(
            html.contains("&lt;/script&gt;&lt;b onload=&quot;x&quot;&gt;"),
            "{html}"
        );
        assert!(!html.contains("href"), "{html}");
    }

    #[test]
    fn sections_become_html_with_ids_links_and_folds() {
        let page = "## The method\n\nSee [the method](#the-method) and [out](https://example.com).\n\n| | |\n|---|---|\n| a | b |\n\n<details><summary>More</summary>\n\ntext\n\n</details>\n";
        let html = html(page);
        for part in [
            "<h2 id=\"the-method\">The method</h2>",
            "<a href=\"#the-method\">the method</a> and out.",
            "<table><tbody>\n<tr><td>a</td><td>b</td></tr>",
            "<details><summary>More</summary>\n<p>text</p></details>",
        ] {
            assert!(html.contains(part), "`{part}` is not in: {html}");
        }
    }
}
