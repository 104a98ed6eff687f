//! `.dockerignore`: what of a directory is not sent.

/// The patterns of an ignore file, for `local.excludepatterns`. Order counts: later ones win, `!` negates.
/// Source: `patternmatcher/ignorefile` of Moby.
pub fn patterns(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| pattern(line.trim())).collect()
}

fn pattern(line: &str) -> Option<String> {
    if line.is_empty() {
        return None;
    }
    let (negation, path) = match line.strip_prefix('!') {
        Some(rest) => ("!", rest.trim()),
        None => ("", line),
    };
    if path.is_empty() {
        return Some(negation.to_owned());
    }
    let path = clean(path);
    let path = match path.strip_prefix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => &path,
    };
    Some(format!("{negation}{path}"))
}

/// The shortest path that means the same, as Go's `path.Clean` gives it.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_docker_reads() {
        let text = "\u{feff}# comment\n\n  a/./b/../c/ \n!/keep\n/\n! x\n#no\n *.log \n";
        assert_eq!(patterns(text), ["a/c", "!keep", "/", "!x", "*.log"]);
    }

    #[test]
    fn cleans_as_go_does() {
        for (path, expected) in
            [("a//b", "a/b"), ("../a", "../a"), ("/../a", "/a"), ("a/..", "."), ("./", "."), ("//", "/")]
        {
            assert_eq!(clean(path), expected);
        }
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(path in "[a/.]{0,20}") {
            let once = clean(&path);
            prop_assert_eq!(clean(&once), once);
        }
    }
}
