//! Tables that line up in any script, and that fit the terminal when there is one.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{Paint, Tone};

/// The space between two columns.
const GAP: usize = 3;
/// A column is never cut below this.
const NARROWEST: usize = 8;

/// One field of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Cell { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::new(Tone::Plain, text)
    }
}

/// Rows under a heading.
#[derive(Clone, Debug)]
pub struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(heading: &[&'static str]) -> Self {
        Table { heading: heading.to_vec(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.heading.len(), "a row has a cell for every heading");
        self.rows.push(cells);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text without a final line end; lines carry no trailing spaces.
    pub fn render(&self, paint: Paint, width: Option<usize>) -> String {
        let widths = self.widths(width);
        let heading: Vec<Cell> = self.heading.iter().map(|title| Cell::new(Tone::Bold, *title)).collect();
        let lines: Vec<String> =
            std::iter::once(&heading).chain(&self.rows).map(|row| line(row, &widths, paint)).collect();
        lines.join("\n")
    }

    fn widths(&self, width: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heading.iter().map(|title| title.width()).collect();
        for row in &self.rows {
            for (cell, widest) in row.iter().zip(&mut widths) {
                *widest = (*widest).max(cell.text.width());
            }
        }
        let Some(width) = width else { return widths };
        let gaps = GAP * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > NARROWEST) else { break };
            *widest -= 1;
        }
        widths
    }
}

fn line(row: &[Cell], widths: &[usize], paint: Paint) -> String {
    let mut out = String::new();
    let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
    for (index, (cell, width)) in row.iter().zip(widths).enumerate().take(last + 1) {
        let text = cut(&cell.text, *width);
        let pad = if index == last { 0 } else { width - text.width().min(*width) + GAP };
        out += &paint.paint(cell.tone, &text);
        out += &" ".repeat(pad);
    }
    out
}

/// The text, or so much of it as fits with a `…`.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        out.push(c);
        used += wide;
    }
    out + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["SERVICE", "IMAGE", "PORTS"]);
        table.row(vec!["web".into(), "ghcr.io/acme/web:2026-07".into(), "".into()]);
        table.row(vec!["データ".into(), "postgres:17".into(), "5432/tcp".into()]);
        table
    }

    #[test]
    fn columns_must_line_up_in_wide_scripts_too() {
        insta::assert_snapshot!(table().render(Paint::off(), None), @r"
        SERVICE   IMAGE                      PORTS
        web       ghcr.io/acme/web:2026-07
        データ    postgres:17                5432/tcp
        ");
    }

    #[test]
    fn a_table_must_fit_the_terminal() {
        let text = table().render(Paint::off(), Some(36));
        assert!(text.lines().all(|line| line.width() <= 36), "{text}");
        assert!(text.contains('…'), "{text}");
    }
}
