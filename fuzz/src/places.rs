//! Every complaint has a place, and the place is inside the file that it is about.

use mainstay_model::compose::{Diagnostic, Span};

pub fn check(complaints: &[Diagnostic], text: &dyn Fn(Span) -> Option<Vec<u8>>) {
    for complaint in complaints {
        assert!(!complaint.message.trim().is_empty(), "a complaint says nothing: {complaint:?}");
        let span = complaint.span;
        if !span.is_written() {
            continue;
        }
        let Some(text) = text(span) else { continue };
        // The reader counts a lone carriage return as a line's end, as YAML does.
        let lines = 1 + text.iter().filter(|byte| **byte == b'\n' || **byte == b'\r').count();
        assert!(
            span.line >= 1 && span.line as usize <= lines + 1,
            "a complaint at line {} of {lines}: {}",
            span.line,
            complaint.message
        );
    }
}
