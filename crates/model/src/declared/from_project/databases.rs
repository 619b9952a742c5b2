//! `x-mainstay.databases`: the databases of a stack, by name.

use std::collections::BTreeMap;

use super::backup::backup;
use super::drill_probes::probes;
use super::files::absolute;
use super::place::Place;
use super::routes::only;
use super::{Project, drift};
use crate::compose::Diagnostic;
use crate::compose::schema::suggest;
use crate::declared::database::{Database, Migrations, Whereabouts};
use crate::declared::{Hidden, Service};
use crate::identity::ServiceName;
use crate::postgres::migration::LedgerName;

const WORDS: &[&str] =
    &["service", "port", "database", "user", "password", "url", "migrations", "backup", "image", "probes", "drift"];
const MIGRATION_WORDS: &[&str] = &["dir", "table", "release"];
const PORT: u16 = 5432;
const SUPERUSER: &str = "postgres";

pub(super) fn databases(
    project: &Project,
    place: &Place,
    services: &BTreeMap<ServiceName, Service>,
) -> BTreeMap<String, Database> {
    let one = |(name, entry): (&str, Place)| Some((name.to_owned(), database(project, &entry, services)?));
    place.children().into_iter().filter_map(one).collect()
}

fn database(project: &Project, entry: &Place, services: &BTreeMap<ServiceName, Service>) -> Option<Database> {
    if entry.node.as_map().is_none() {
        let message = format!("`{}` must be a mapping with `service` or `url`", entry.path);
        let hint = "write `{ service: db, database: shop }`, or `{ url: \"${DATABASE_URL}\" }` for a server elsewhere";
        entry.say(Diagnostic::error("bad-value", entry.value_span(), message).hint(hint));
        return None;
    }
    only(entry, WORDS);
    let drift = entry.child("drift").and_then(|place| drift::drift(project, &place));
    let backup = entry.child("backup").map(|place| backup(project, &place));
    let image = entry.child("image").and_then(|image| {
        if entry.child("service").is_some() {
            image.refuse("is for a server elsewhere: a service of this stack has its own");
        }
        image.as_text()
    });
    let migrations = entry.child("migrations").map(|place| migrations(project, &place));
    let whereabouts = match (entry.child("service"), entry.child("url")) {
        (Some(service), None) => of_service(entry, &service, services),
        (None, Some(url)) => of_url(entry, &url),
        _ => {
            let message = format!("`{}` needs one of the keys `service` and `url`", entry.path);
            entry.say(
                Diagnostic::error("missing-key", entry.span, message)
                    .hint("`service` for a database of this stack, `url` for one elsewhere"),
            );
            None
        }
    };
    let migrations = match migrations {
        Some(found) => Some(found?),
        None => None,
    };
    let backup = match backup {
        Some(found) => Some(found?),
        None => None,
    };
    let probes = entry.child("probes").map(|place| probes(&place)).unwrap_or_default();
    Some(Database { whereabouts: whereabouts?, migrations, backup, image, probes, drift })
}

/// What the image's own variables say need not be said again.
fn of_service(entry: &Place, place: &Place, services: &BTreeMap<ServiceName, Service>) -> Option<Whereabouts> {
    let text = place.as_text()?;
    let found = services.iter().find(|(name, _)| name.as_str() == text);
    let Some((name, service)) = found else {
        let message = format!("`{}` is `{text}`, and this stack has no such service", place.path);
        let hint = match suggest(&text, services.keys().map(ServiceName::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "for a database of another stack or server, write `url`".to_owned(),
        };
        place.say(Diagnostic::error("no-such-service", place.value_span(), message).hint(hint));
        return None;
    };
    let variable = |name: &str| service.container.environment.get(name).filter(|value| !value.reveal().is_empty());
    let told = |variable: &Hidden| variable.reveal().to_owned();
    let user = entry.text("user").or_else(|| variable("POSTGRES_USER").map(told)).unwrap_or_else(|| SUPERUSER.into());
    let database = entry.text("database").or_else(|| variable("POSTGRES_DB").map(told)).unwrap_or_else(|| user.clone());
    let password = entry.text("password").map(Hidden::new).or_else(|| variable("POSTGRES_PASSWORD").cloned());
    let port = match entry.child("port") {
        Some(port) => port.as_int().filter(|port| *port != 0)?,
        None => PORT,
    };
    Some(Whereabouts::Service { service: name.clone(), port, database, user, password })
}

fn of_url(entry: &Place, place: &Place) -> Option<Whereabouts> {
    for word in ["port", "database", "user", "password"] {
        if let Some(child) = entry.child(word) {
            child.refuse("stands beside `url`, which says it already");
        }
    }
    let url = place.as_text()?;
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        // The text is not repeated: it may hold a password.
        let message = format!("`{}` is no address of a Postgres server", place.path);
        let hint = "write `postgres://USER:PASSWORD@HOST:5432/DATABASE`, best as `${DATABASE_URL}`";
        place.say(Diagnostic::error("bad-value", place.value_span(), message).hint(hint));
        return None;
    }
    Some(Whereabouts::Url(Hidden::new(url)))
}

fn migrations(project: &Project, place: &Place) -> Option<Migrations> {
    only(place, MIGRATION_WORDS);
    let Some(dir) = place.text("dir") else {
        let message = format!("`{}` needs the key `dir`", place.path);
        place.say(
            Diagnostic::error("missing-key", place.span, message).hint("the folder of the files: `dir: ./migrations`"),
        );
        return None;
    };
    let ledger = match place.child("table") {
        None => LedgerName::default(),
        Some(table) => match LedgerName::parse(&table.as_text()?) {
            Ok(ledger) => ledger,
            Err(problem) => {
                let message = format!("`{}`: {problem}", table.path);
                table.say(Diagnostic::error("bad-name", table.value_span(), message));
                return None;
            }
        },
    };
    let release = match place.child("release") {
        None => false,
        Some(release) => release.as_flag()?,
    };
    Some(Migrations { dir: absolute(project, &dir), ledger, release, files: None })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused};
    use super::*;

    fn stack(databases: &str) -> String {
        format!(
            r#"{{"services": {{"db": {{"image": "postgres:17", "environment": {{"POSTGRES_USER": "crm",
            "POSTGRES_PASSWORD": "s3cret"}}}}}}, "x-mainstay": {{"databases": {databases}}}}}"#
        )
    }

    #[test]
    fn what_the_service_says_need_not_be_said_again() {
        let text = stack(
            r#"{"crm": {"service": "db", "migrations": {"dir": "./sql", "table": "public.pms_schema_migrations"}}}"#,
        );
        let found = &declared(&text).databases["crm"];
        let Whereabouts::Service { port, database, user, password, .. } = &found.whereabouts else {
            panic!("{found:?}")
        };
        assert_eq!((*port, database.as_str(), user.as_str()), (5432, "crm", "crm"));
        assert_eq!(password.as_ref().map(Hidden::reveal), Some("s3cret"));
        let migrations = found.migrations.as_ref().unwrap();
        assert!(migrations.dir.starts_with('/') && migrations.dir.ends_with("/sql"));
        assert_eq!(migrations.ledger.to_string(), "public.pms_schema_migrations");
        assert!(!migrations.release && migrations.files.is_none());
        assert!(!format!("{found:?}").contains("s3cret"));
    }

    #[test]
    fn a_release_can_be_told_to_apply_them() {
        let of = |word: &str| {
            let migrations = format!(r#"{{"dir": "sql", "release": {word}}}"#);
            stack(&format!(r#"{{"crm": {{"service": "db", "migrations": {migrations}}}}}"#))
        };
        assert!(declared(&of("true")).databases["crm"].migrations.as_ref().unwrap().release);
        assert!(refused(&of("\"always\"")).join("\n").contains("x-mainstay.databases.crm.migrations.release"));
    }

    #[test]
    fn a_server_elsewhere_has_a_url() {
        let found = declared(&stack(r#"{"crm": {"url": "postgres://a:b@db.example.com/crm"}}"#));
        assert!(matches!(found.databases["crm"].whereabouts, Whereabouts::Url(_)));
        let told = refused(&stack(r#"{"crm": {"url": "mysql://root:hunter2@x/y", "port": 1}}"#)).join("\n");
        assert!(told.contains("no address of a Postgres server") && told.contains("stands beside"), "{told}");
        assert!(!told.contains("hunter2"));
    }

    #[test]
    fn what_copies_are_asked_is_text_and_an_answer() {
        let asked = |probes: &str| stack(&format!(r#"{{"crm": {{"service": "db", "probes": {probes}}}}}"#));
        let found = &declared(&asked(r#"[{"sql": "select  1", "expect": "1", "within": "5s"}]"#)).databases["crm"];
        let probe = &found.probes[0];
        assert_eq!((probe.name.as_str(), probe.expect.as_str(), probe.within_secs), ("select 1", "1", 5));
        let told =
            refused(&asked(r#"[{"sql": "select 1"}, {"sql": "a", "expect": "b", "within": "soon"}]"#)).join("\n");
        assert!(told.contains("needs the keys `sql` and `expect`") && told.contains("no time"), "{told}");
    }

    #[test]
    fn what_is_missing_or_mistyped_is_refused() {
        for (databases, words) in [
            (r#"{"crm": {}}"#, "needs one of the keys"),
            (r#"{"crm": {"service": "bd"}}"#, "did you mean `db`?"),
            (r#"{"crm": {"service": "db", "migrations": {}}}"#, "needs the key `dir`"),
            (r#"{"crm": {"service": "db", "migration": {}}}"#, "did you mean `migrations`?"),
            (r#"{"crm": {"service": "db", "migrations": {"dir": "a", "table": "a.b.c"}}}"#, "schema.table"),
            (r#"{"crm": "db"}"#, "must be a mapping"),
        ] {
            let told = refused(&stack(databases)).join("\n");
            assert!(told.contains(words), "{databases}: {told}");
        }
    }
}
