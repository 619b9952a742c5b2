//! A dialect that nobody named.

use mainstay_model::compose::{Dialect, LoadRequest, Severity};

use super::{load_with, set};

fn unnamed(request: &mut LoadRequest) {
    request.dialect = None;
}

/// The dialect that is taken, and how many times it was told.
#[track_caller]
fn taken(text: &str) -> (Dialect, usize) {
    let loaded = load_with(text, unnamed).unwrap_or_else(|complaints| panic!("{}", complaints.render()));
    (loaded.spoken.dialect, super::warnings(&loaded, "dialect").len())
}

#[test]
fn marks_of_coolify_are_seen_and_told_once() {
    for text in [
        "services: { web: { image: a, exclude_from_hc: true }, job: { image: a, exclude_from_hc: true } }",
        "services: { web: { image: a, environment: [SERVICE_FQDN_WEB] } }",
        "services: { web: { image: a, environment: { SERVICE_URL_WEB_80: /x } } }",
        "services: { web: { image: a, command: 'run ${SERVICE_PASSWORD_WEB}' } }",
        "services: { web: { image: a, volumes: [{ type: bind, source: ./a, target: /a, is_directory: true }] } }",
        "services: { web: { image: a, volumes: [{ type: bind, source: ./a, target: /a, content: x }] } }",
    ] {
        assert_eq!(taken(text), (Dialect::Coolify, 1), "{text}");
    }
}

#[test]
fn other_files_are_plain() {
    for text in [
        "services: { web: { image: a, environment: [SERVICE_OPENAI_KEY, 'A=$$SERVICE_PASSWORD_X is text'] } }",
        "services: { web: { image: a, environment: { SERVICE_URL_WEB: 'https://a.example' } } }",
        "services: { web: { image: a, environment: ['B=${OTHER:-SERVICE_PASSWORD_X}'] } }",
    ] {
        assert_eq!(taken(text), (Dialect::Compose, 0), "{text}");
    }
}

#[test]
fn setting_a_value_does_not_change_how_the_file_is_read() {
    let text = "services: { db: { image: a, volumes: ['data:/d'], environment: ['P=$SERVICE_PASSWORD_DB'] } }";
    let loaded = load_with(text, |request| {
        unnamed(request);
        set(request, &[("SERVICE_PASSWORD_DB", "mine")]);
    });
    assert_eq!(loaded.unwrap().spoken.dialect, Dialect::Coolify);
}

#[test]
fn a_word_in_the_file_says_it_without_a_notice_and_a_flag_wins() {
    let text = "services: { web: { image: a, volumes: ['data:/d'] } }\nx-mainstay: { dialect: coolify }\n";
    assert_eq!(taken(text), (Dialect::Coolify, 0));
    let refused =
        load_with(text, |request| request.dialect = Some(Dialect::Compose)).expect_err("the volume is not declared");
    assert_eq!(refused.list.iter().filter(|one| one.severity == Severity::Error).count(), 1);
    let off = "services: { web: { image: a, environment: [SERVICE_FQDN_WEB] } }\nx-mainstay: { dialect: compose }\n";
    assert_eq!(taken(off), (Dialect::Compose, 0));
}

#[test]
fn a_word_that_is_no_dialect_is_refused() {
    let loaded = load_with("services: { web: { image: a } }\nx-mainstay: { dialect: portainer }\n", unnamed).unwrap();
    let complaints = mainstay_model::declared::declare(&loaded).expect_err("it is refused");
    assert_eq!(complaints[0].message, "`x-mainstay.dialect` is `portainer`, which is no dialect that Mainstay knows");
}
