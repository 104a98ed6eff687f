//! Mirrors of downloads: a server that has each file below the name of the host that it comes from. What a bundle holds
//! is laid out like that, so that any server of files can be one.

/// Where to get what is at `url`: there, or from the mirror. What package managers found on the mirror is there already.
pub fn address(mirror: Option<&str>, url: &str) -> String {
    let Some(mirror) = mirror.map(|mirror| mirror.trim_end_matches('/')) else { return url.to_owned() };
    let is_there = url.strip_prefix(mirror).is_some_and(|rest| rest.starts_with('/'));
    if is_there { url.to_owned() } else { format!("{mirror}/{}", below(url)) }
}

/// The address that a mirror was asked for in place of: of what lies there below the name of a host, at that host. Other
/// files of the mirror are nowhere else. Hosts are asked with TLS, whatever the mirror is asked with.
pub fn origin(mirror: Option<&str>, url: &str) -> String {
    let below = mirror.and_then(|mirror| url.strip_prefix(mirror.trim_end_matches('/'))?.strip_prefix('/'));
    let is_host = |below: &&str| below.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']));
    below.filter(is_host).map_or_else(|| url.to_owned(), |below| format!("https://{below}"))
}

/// Where a mirror has the index of Python packages that is asked for what no other one has: the directory that such
/// indexes are usually served from (PEP 503).
pub fn public_index(mirror: &str) -> String {
    format!("{}/simple/", mirror.trim_end_matches('/'))
}

/// Where the file of `url` lies in a bundle: the path that a server finds for the mirror's address.
pub fn path(url: &str) -> String {
    let parts: Vec<_> = below(url).split('/').map(segment).collect();
    format!("/{}", parts.join("/"))
}

/// Host and path of an address, without what a server of files knows nothing of.
fn below(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['?', '#']).next().unwrap_or_default()
}

/// A part of a path without its escapes, where that leaves it one part.
fn segment(text: &str) -> String {
    let plain = unescaped(text);
    if plain.contains(['/', '\0']) || plain == ".." { text.to_owned() } else { plain }
}

/// A text without the escapes of addresses.
pub fn unescaped(text: &str) -> String {
    let mut plain = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let escaped = (byte == b'%').then(|| {
            let digits = [ahead.next()?, ahead.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()
        });
        match escaped.flatten() {
            Some(escaped) => {
                plain.push(escaped);
                bytes = ahead;
            }
            None => plain.push(byte),
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_the_bundle_finds_what_the_mirror_is_asked_for() {
        let url = "https://deb.debian.org/pool/c/curl_8.14.1-2%2bdeb13u1_amd64.deb?x=1#y";
        assert_eq!(
            address(Some("http://site:8080/"), url),
            "http://site:8080/deb.debian.org/pool/c/curl_8.14.1-2%2bdeb13u1_amd64.deb"
        );
        assert_eq!(address(None, url), url);
        assert_eq!(
            address(Some("http://site/m/"), "http://site/m/files.site/x.whl"),
            "http://site/m/files.site/x.whl"
        );
        assert_eq!(address(Some("http://site/m"), "http://site/more/x.whl"), "http://site/m/site/more/x.whl");
        assert_eq!(path(url), "/deb.debian.org/pool/c/curl_8.14.1-2+deb13u1_amd64.deb");
    }

    #[test]
    fn a_mirror_is_no_origin() {
        let mirror = Some("http://site:8080/m/");
        let wheel = "https://files.pythonhosted.org/packages/ab/x-1.0-py3-none-any.whl";
        assert_eq!(origin(mirror, &address(mirror, wheel)), wheel);
        for url in [wheel, "http://site:8080/m/simple/x/x.whl", "http://site:8080/more/a.b/x.whl"] {
            assert_eq!(origin(mirror, url), url);
            assert_eq!(origin(None, url), url);
        }
    }

    #[test]
    fn no_file_leaves_its_host() {
        assert_eq!(path("https://h/a%2fb/..%2f..%2fc/%2e%2e/d"), "/h/a%2fb/..%2f..%2fc/%2e%2e/d");
        assert_eq!(path("https://h/100%/%zz/%4"), "/h/100%/%zz/%4");
    }
}
