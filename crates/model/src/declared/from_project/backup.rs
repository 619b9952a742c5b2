//! `backup` of a database.

use croner::parser::{CronParser, Seconds, Year};

use super::Project;
use super::files::absolute;
use super::place::Place;
use super::routes::only;
use crate::compose::Diagnostic;
use crate::declared::Hidden;
use crate::declared::backup::{Backup, Bucket, Destination, Schedule};
use crate::postgres::backup::retention::Keep;

const WORDS: &[&str] = &["to", "schedule", "zone", "drill", "keep", "recipients"];
const TO_WORDS: &[&str] = &["url", "endpoint", "region", "path_style", "access_key", "secret_key"];
const KEEP_WORDS: &[&str] = &["last", "daily", "weekly", "monthly", "yearly", "before", "none"];
/// How an age recipient begins, and how long one is.
const RECIPIENT: (&str, usize) = ("age1", 62);

pub(super) fn backup(project: &Project, place: &Place) -> Option<Backup> {
    if place.node.as_map().is_none() {
        let message = format!("`{}` must be a mapping with `to`", place.path);
        let hint = "write `{ to: ./backups, schedule: \"0 3 * * *\", keep: { daily: 7, weekly: 4 } }`";
        place.say(Diagnostic::error("bad-value", place.value_span(), message).hint(hint));
        return None;
    }
    only(place, WORDS);
    let zone = place.text("zone");
    let Some(to) = place.child("to") else {
        let message = format!("`{}` needs the key `to`", place.path);
        place.say(
            Diagnostic::error("missing-key", place.span, message)
                .hint("where backups go: `to: s3://BUCKET/PREFIX`, or a folder"),
        );
        return None;
    };
    Some(Backup {
        to: destination(project, &to)?,
        schedule: place.child("schedule").and_then(|child| schedule(&child, zone.as_ref())),
        drill: place.child("drill").and_then(|child| schedule(&child, zone.as_ref())),
        keep: place.child("keep").and_then(|child| keep(&child)),
        recipients: place.child("recipients").map(|child| recipients(&child)).unwrap_or_default(),
    })
}

fn destination(project: &Project, place: &Place) -> Option<Destination> {
    let (url, settings) = match place.node.as_map() {
        Some(_) => {
            only(place, TO_WORDS);
            let Some(url) = place.child("url") else {
                let message = format!("`{}` needs the key `url`", place.path);
                place
                    .say(Diagnostic::error("missing-key", place.span, message).hint("write `url: s3://BUCKET/PREFIX`"));
                return None;
            };
            (url, Some(place))
        }
        None => (place.clone(), None),
    };
    let text = url.as_text()?;
    let Some(rest) = text.strip_prefix("s3://") else {
        if let Some(settings) = settings {
            settings.refuse("has keys for a bucket, and names a folder; write the folder alone, as text");
        }
        return folder(project, &url, &text);
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if bucket.is_empty() || !bucket.chars().all(is_plain) || prefix.contains("//") {
        url.refuse("is no place in a bucket; write `s3://BUCKET/PREFIX`");
        return None;
    }
    let endpoint = settings.and_then(|place| place.word("endpoint"));
    if let Some(endpoint) = &endpoint
        && !endpoint.starts_with("http://")
        && !endpoint.starts_with("https://")
        && let Some(child) = settings.and_then(|place| place.child("endpoint"))
    {
        child.refuse("is no address of a server; write `https://s3.example.com`");
        return None;
    }
    let path_style = settings.and_then(|place| place.child("path_style")).and_then(|child| child.as_flag());
    let key = |name: &str| settings.and_then(|place| place.word(name)).map(Hidden::new);
    Some(Destination::S3(Bucket {
        bucket: bucket.to_owned(),
        prefix: prefix.trim_matches('/').to_owned(),
        // Servers of one's own seldom have a name for each bucket.
        path_style: path_style.unwrap_or(endpoint.is_some()),
        region: settings.and_then(|place| place.word("region")),
        access_key: key("access_key"),
        secret_key: key("secret_key"),
        endpoint,
    }))
}

fn folder(project: &Project, place: &Place, text: &str) -> Option<Destination> {
    let path = match text.split_once("://") {
        Some(("file", path)) if path.starts_with('/') => path,
        Some(_) => {
            place.refuse("is neither a bucket nor a folder; write `s3://BUCKET/PREFIX`, or a path");
            return None;
        }
        None => text,
    };
    if path.is_empty() {
        place.refuse("is empty; write `s3://BUCKET/PREFIX`, or a path");
        return None;
    }
    Some(Destination::Folder(absolute(project, path)))
}

fn schedule(place: &Place, zone: Option<&String>) -> Option<Schedule> {
    let cron = place.as_text()?;
    // As everybody's cron has it: from minutes to days of the week.
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    if let Err(problem) = parser.parse(&cron) {
        let message = format!("`{}` is no schedule: {problem}", place.path);
        let hint = "five fields, as in `0 3 * * *`: minute, hour, day of the month, month, day of the week";
        place.say(Diagnostic::error("bad-value", place.value_span(), message).hint(hint));
        return None;
    }
    Some(Schedule { cron, zone: zone.cloned() })
}

fn keep(place: &Place) -> Option<Keep> {
    only(place, KEEP_WORDS);
    let count = |name: &str| place.int(name).unwrap_or_default();
    let keep = Keep {
        last: count("last"),
        daily: count("daily"),
        weekly: count("weekly"),
        monthly: count("monthly"),
        yearly: count("yearly"),
        before: place.int("before"),
        none: place.flag("none"),
    };
    if keep.is_doubtful() {
        let message = format!("`{}` would keep no backup", place.path);
        place.say(
            Diagnostic::error("bad-value", place.span, message)
                .hint("write `{ daily: 7, weekly: 4 }`; to mean it, say it twice: `{ daily: 0, none: true }`"),
        );
        return None;
    }
    Some(keep)
}

fn recipients(place: &Place) -> Vec<String> {
    let fits = |text: &str| {
        let (prefix, length) = RECIPIENT;
        text.starts_with(prefix) && text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let mut recipients = Vec::new();
    for item in place.items() {
        match item.as_text() {
            Some(text) if fits(&text) => recipients.push(text),
            Some(text) if text.starts_with("AGE-SECRET-KEY") => {
                item.refuse(
                    "is the secret half of a key, and must not stand in a file; write its public half, `age1…`",
                );
            }
            Some(_) => item.refuse("is no age recipient; write the public half of a key, `age1…`"),
            None => {}
        }
    }
    recipients
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused};
    use super::*;

    fn stack(backup: &str) -> String {
        format!(
            r#"{{"services": {{"db": {{"image": "postgres:17"}}}},
            "x-mainstay": {{"databases": {{"crm": {{"service": "db", "backup": {backup}}}}}}}}}"#
        )
    }

    fn read(backup: &str) -> Backup {
        declared(&stack(backup)).databases["crm"].backup.clone().unwrap()
    }

    #[test]
    fn a_bucket_and_a_schedule_are_read() {
        let recipient = format!("age1{}", "q".repeat(58));
        let found = read(&format!(
            r#"{{"to": {{"url": "s3://backups/crm/", "endpoint": "http://s3:3900", "access_key": "GK1", "secret_key": "hunter2"}},
            "schedule": "0 3 * * *", "drill": "0 5 * * 0", "zone": "Europe/Berlin", "keep": {{"daily": 7, "weekly": 4}},
            "recipients": ["{recipient}"]}}"#
        ));
        assert_eq!(found.to.to_string(), "s3://backups/crm at http://s3:3900");
        let Destination::S3(bucket) = &found.to else { panic!("{found:?}") };
        assert!(bucket.path_style && bucket.secret_key.as_ref().map(Hidden::reveal) == Some("hunter2"));
        assert_eq!(found.schedule.as_ref().map(ToString::to_string).unwrap(), "0 3 * * * (Europe/Berlin)");
        assert_eq!(found.keep, Some(Keep { daily: 7, weekly: 4, ..Keep::default() }));
        assert_eq!(found.recipients, [recipient]);
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[test]
    fn a_folder_is_one_of_the_host() {
        for (to, ending) in [("./backups", "/backups"), ("file:///srv/backups", "/srv/backups"), ("/srv/b", "/srv/b")] {
            let Destination::Folder(path) = read(&format!(r#"{{"to": "{to}"}}"#)).to else { panic!("{to}") };
            assert!(path.starts_with('/') && path.ends_with(ending), "{path}");
        }
        let Destination::S3(bucket) = read(r#"{"to": "s3://backups"}"#).to else { panic!() };
        assert!(bucket.prefix.is_empty() && !bucket.path_style);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (backup, words) in [
            ("{}", "needs the key `to`"),
            (r#""s3://x""#, "must be a mapping with `to`"),
            (r#"{"to": "gs://x"}"#, "neither a bucket nor a folder"),
            (r#"{"to": "s3://"}"#, "no place in a bucket"),
            (r#"{"to": {"url": "./x", "region": "r"}}"#, "names a folder"),
            (r#"{"to": {"url": "s3://b", "endpoint": "s3:9000"}}"#, "no address of a server"),
            (r#"{"to": "./b", "schedule": "0 25 * * *"}"#, "is no schedule"),
            (r#"{"to": "./b", "schedule": "0 3 * *"}"#, "is no schedule"),
            (r#"{"to": "./b", "schedule": "* 0 3 * * *"}"#, "is no schedule"),
            (r#"{"to": "./b", "keep": {"daily": 0}}"#, "would keep no backup"),
            (r#"{"to": "./b", "keep": {"daly": 7}}"#, "did you mean `daily`?"),
            (r#"{"to": "./b", "recipients": ["ssh-ed25519 AAAA"]}"#, "no age recipient"),
            (r#"{"to": "./b", "recipients": ["AGE-SECRET-KEY-1X"]}"#, "must not stand in a file"),
        ] {
            let told = refused(&stack(backup)).join("\n");
            assert!(told.contains(words), "{backup}: {told}");
        }
        assert!(read(r#"{"to": "./b", "keep": {"daily": 0, "none": true}}"#).keep.unwrap().none);
    }
}
