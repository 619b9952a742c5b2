//! File paths as text, by the rules of Unix: the model joins and cleans, it never asks a disk.

/// Whether the path starts at the root.
pub fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

/// Takes out `.`, `..`, doubled and trailing slashes; an empty path is `.`.
pub fn clean(path: &str) -> String {
    let rooted = is_absolute(path);
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// `path` seen from `base`, cleaned; an absolute path stays as it is, but cleaned.
pub fn join(base: &str, path: &str) -> String {
    if is_absolute(path) || base.is_empty() { clean(path) } else { clean(&format!("{base}/{path}")) }
}

/// The folder of a file.
pub fn folder(path: &str) -> String {
    match path.rfind('/') {
        Some(at) => clean(&path[..=at]),
        None => ".".to_owned(),
    }
}

/// The last part of a path.
pub fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or("")
}

/// How to go from one absolute folder to another path.
pub fn relative(from: &str, to: &str) -> String {
    let (from, to) = (clean(from), clean(to));
    let from: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<&str> = to.split('/').filter(|part| !part.is_empty()).collect();
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut parts = vec![".."; from.len() - same];
    parts.extend(&to[same..]);
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// Whether a path is absolute on Windows: a drive with a slash after it, or a share.
/// Such a path is a host path too, because a Windows client may speak to a Linux engine.
pub fn is_windows_absolute(path: &str) -> bool {
    let bytes = path.as_bytes();
    let slash = |byte: &u8| *byte == b'\\' || *byte == b'/';
    match bytes {
        [_, b':', after, ..] => slash(after),
        [first, second, ..] => slash(first) && slash(second),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_text() {
        for (path, cleaned) in [
            ("", "."),
            (".", "."),
            ("./a/", "a"),
            ("a/../..", ".."),
            ("/..", "/"),
            ("/a//b/./../c", "/a/c"),
            ("../../a", "../../a"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
        assert_eq!(join("/p", "./data"), "/p/data");
        assert_eq!(join("/p", "/data/"), "/data");
        assert_eq!(folder("/a/b.yaml"), "/a");
        assert_eq!(folder("/b.yaml"), "/");
        assert_eq!(last("/a/b/"), "b");
    }

    #[test]
    fn a_relative_way_is_found_between_folders() {
        assert_eq!(relative("/a/b", "/a/b"), ".");
        assert_eq!(relative("/a/b", "/a/c/d"), "../c/d");
        assert_eq!(relative("/", "/a"), "a");
    }

    #[test]
    fn windows_paths_are_known() {
        assert!(is_windows_absolute("c:\\data"));
        assert!(is_windows_absolute("C:/data"));
        assert!(is_windows_absolute("\\\\host\\share"));
        assert!(!is_windows_absolute("c:data"));
        assert!(!is_windows_absolute("./data"));
    }
}
