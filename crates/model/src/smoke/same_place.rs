//! Whether two locations lead to the same place, however they are written.

use super::Address;

/// Compares two locations as a browser that got them from `asked` would understand them: `/login`, `login`,
/// `//host/login` and the whole URL may all be one place. What cannot be understood is compared letter by letter.
pub(super) fn same_place(asked: &Address, one: &str, other: &str) -> bool {
    match (resolved(asked, one), resolved(asked, other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// The whole address and the fragment.
fn resolved(asked: &Address, location: &str) -> Option<(Address, String)> {
    let (location, fragment) = location.split_once('#').unwrap_or((location, ""));
    let fragment = fragment.to_owned();
    if location.contains("://") {
        return Some((Address::parse(location).ok()?, fragment));
    }
    if location.starts_with("//") {
        let scheme = asked.to_string().split("//").next().unwrap_or_default().to_owned();
        return Some((Address::parse(&format!("{scheme}{location}")).ok()?, fragment));
    }
    let target = match location {
        "" => asked.target.clone(),
        query if query.starts_with('?') => format!("{}{query}", asked.path()),
        path if path.starts_with('/') => path.to_owned(),
        below => format!("{}/{below}", asked.path().rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    Some((Address { target: without_dots(&target), ..asked.clone() }, fragment))
}

/// The path with `.` and `..` walked.
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut walked: Vec<&str> = Vec::new();
    for part in path.trim_start_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(walked.pop()),
            part => walked.push(part),
        }
    }
    let path = format!("/{}", walked.join("/"));
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_compared_as_a_browser_understands_them() {
        let asked = Address::parse("https://nocodb.pontea.localhost/a/b?x=1").expect("an address");
        for (one, other, same) in [
            ("/dashboard", "https://nocodb.pontea.localhost/dashboard", true),
            ("/dashboard", "https://NocoDB.pontea.localhost:443/dashboard", true),
            ("/dashboard", "//nocodb.pontea.localhost/dashboard", true),
            ("/dashboard", "./../dashboard", true),
            ("/a/c", "c", true),
            ("/a/b?y", "?y", true),
            ("https://pontea.localhost", "https://pontea.localhost/", true),
            ("/dashboard", "/dashboard/", false),
            ("/dashboard", "http://nocodb.pontea.localhost/dashboard", false),
            ("/dashboard", "https://pontea.localhost/dashboard", false),
            ("/#/dashboard", "https://nocodb.pontea.localhost/#/dashboard", true),
            ("/#/dashboard", "/", false),
            ("mailto:a", "mailto:a", true),
            ("https://[", "https://[", true),
            ("https://[", "/", false),
        ] {
            assert_eq!(same_place(&asked, one, other), same, "{one} and {other}");
            assert_eq!(same_place(&asked, other, one), same, "{other} and {one}");
        }
    }
}
