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
    yielding: Yielding,
}

/// Which columns give way in a terminal that is too narrow for all; by their headings, the first one first.
#[derive(Clone, Debug, Default)]
struct Yielding {
    /// Cut, and left out where even that is not enough.
    dispensable: Vec<&'static str>,
    /// Cut after those, one after the other; the columns that stand in neither list come last.
    early: Vec<&'static str>,
}

impl Table {
    pub fn new(heading: &[&'static str]) -> Self {
        Table { heading: heading.to_vec(), rows: Vec::new(), yielding: Yielding::default() }
    }

    /// Says which columns give way first: the dispensable ones, which may go altogether, and then the early ones.
    pub fn yields(&mut self, dispensable: &[&'static str], early: &[&'static str]) {
        self.yielding = Yielding { dispensable: dispensable.to_vec(), early: early.to_vec() };
    }

    /// The headings of the columns for which there is no room.
    pub fn left_out(&self, width: Option<usize>) -> Vec<&'static str> {
        let widths = self.widths(width);
        let columns = self.heading.iter().zip(widths);
        columns.filter(|(_, width)| *width == 0).map(|(title, _)| *title).collect()
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
        let columns = |titles: &[&str]| -> Vec<usize> {
            (0..self.heading.len()).filter(|column| titles.contains(&self.heading[*column])).collect()
        };
        let Yielding { dispensable, early } = &self.yielding;
        let mut left: &[&str] = dispensable;
        let natural = widths.clone();
        narrow(&mut widths, &columns(left), width);
        while let ([first, others @ ..], true) = (left, total(&widths) > width) {
            let gone = columns(&[first]);
            left = others;
            for column in 0..widths.len() {
                let is_gone = widths[column] == 0 || gone.contains(&column);
                widths[column] = if is_gone { 0 } else { natural[column] };
            }
            narrow(&mut widths, &columns(left), width);
        }
        for title in early {
            narrow(&mut widths, &columns(&[title]), width);
        }
        narrow(&mut widths, &(0..self.heading.len()).collect::<Vec<_>>(), width);
        widths
    }
}

/// Takes from the widest of these columns until the table fits, or none of them can give any more.
fn narrow(widths: &mut [usize], columns: &[usize], width: usize) {
    while total(widths) > width {
        let widest = columns.iter().copied().max_by_key(|column| widths[*column]);
        let Some(widest) = widest.filter(|column| widths[*column] > NARROWEST) else { break };
        widths[widest] -= 1;
    }
}

/// The width of a line; a column of no width is not there, and neither is its gap.
fn total(widths: &[usize]) -> usize {
    let shown = widths.iter().filter(|width| **width > 0);
    shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1)
}

fn line(row: &[Cell], widths: &[usize], paint: Paint) -> String {
    let mut out = String::new();
    let cells: Vec<(&Cell, &usize)> = row.iter().zip(widths).filter(|(_, width)| **width > 0).collect();
    let last = cells.iter().rposition(|(cell, _)| !cell.text.is_empty()).unwrap_or(0);
    for (index, (cell, width)) in cells.into_iter().enumerate().take(last + 1) {
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

    #[test]
    fn what_matters_less_must_give_way_first_and_then_go() {
        let mut table = Table::new(&["SERVICE", "CONTAINER", "STATE", "IMAGE", "PORTS"]);
        table.row(
            ["web", "shop-web-1", "running (unverified)", "ghcr.io/acme/web:2026-07", "127.0.0.1:80->3000/tcp"]
                .map(Cell::from)
                .to_vec(),
        );
        table.yields(&["PORTS", "IMAGE"], &["CONTAINER"]);
        let at = |width| format!("{}\n{:?}", table.render(Paint::off(), Some(width)), table.left_out(Some(width)));
        insta::assert_snapshot!(at(80), @r#"
        SERVICE   CONTAINER    STATE                  IMAGE              PORTS
        web       shop-web-1   running (unverified)   ghcr.io/acme/we…   127.0.0.1:80->…
        []
        "#);
        insta::assert_snapshot!(at(60), @r#"
        SERVICE   CONTAINER    STATE                  IMAGE
        web       shop-web-1   running (unverified)   ghcr.io/acme/…
        ["PORTS"]
        "#);
        insta::assert_snapshot!(at(42), @r#"
        SERVICE   CONTAINER   STATE
        web       shop-web…   running (unverified)
        ["IMAGE", "PORTS"]
        "#);
    }
}
