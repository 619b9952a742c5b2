//! Times as the journal and the events write them: RFC 3339 in UTC with milliseconds, so that text sorts as time.

use jiff::Timestamp;

pub(crate) fn now_text() -> String {
    text_of(Timestamp::now())
}

pub(crate) fn text_of(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
