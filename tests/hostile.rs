//! The program as BuildKit starts it, with a peer that is none: it speaks first, and ends soon, with a message, whatever
//! it hears.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What an HTTP/2 client says first. Source: RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS frame, with which a server begins.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
/// The end of a connection (GOAWAY, no stream was looked at, no error).
const GOAWAY: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";

fn start(options: &[OsString]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgenode"));
    command.env_clear().env("BUILDKIT_SESSION_ID", "session");
    for (number, option) in options.iter().enumerate() {
        command.env(format!("BUILDKIT_FRONTEND_OPT_{number}"), option);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// What the program says on stderr before it ends, and after what time.
fn end(mut child: Child) -> (String, Duration) {
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("waited") {
            break status;
        }
        if started.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = started.elapsed();
    assert_eq!(status.code(), Some(1), "it could not tell BuildKit how the build ended");
    let mut told = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut told).expect("text");
    (told, took)
}

#[test]
fn speaks_first_and_nothing_but_http2() {
    let mut child = start(&[]);
    let mut said = [0; PREFACE.len()];
    let started = Instant::now();
    child.stdout.as_mut().expect("piped").read_exact(&mut said).expect("it speaks");
    assert_eq!(said, PREFACE);
    assert!(started.elapsed() < Duration::from_secs(5), "BuildKit waits for ten seconds");
    drop(child.stdin.take());
    end(child);
}

#[test]
fn a_daemon_that_hangs_up_or_talks_nonsense() {
    let huge_frame = b"\xff\xff\xff\0\0\0\0\0\x01xxxx".as_slice();
    let cases: [(&str, Vec<u8>, bool); 9] = [
        ("nothing", Vec::new(), true),
        ("zeros", vec![0; 4096], false),
        ("text", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), false),
        ("noise", (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect(), false),
        ("half a frame", SETTINGS[..5].to_vec(), true),
        ("a greeting and no more", SETTINGS.to_vec(), true),
        ("a greeting and noise", [SETTINGS, huge_frame].concat(), false),
        ("a farewell", [SETTINGS, GOAWAY].concat(), true),
        // A response to the first call, whose headers are no headers.
        ("broken headers", [SETTINGS, b"\0\0\x04\x01\x05\0\0\0\x01\xff\xff\xff\xff"].concat(), false),
    ];
    for (name, bytes, hang_up) in cases {
        let mut child = start(&[]);
        let mut stdin = child.stdin.take().expect("piped");
        // It may have ended before all is written.
        let _ = stdin.write_all(&bytes);
        let kept = (!hang_up).then_some(stdin);
        let (told, took) = end(child);
        drop(kept);
        assert!(took < Duration::from_secs(2), "{name}: it took {took:?}");
        assert!(told.starts_with("frontend: ") && !told.contains("panicked"), "{name}: {told}");
    }
}

/// Takes half a minute: it asks, and then tries to tell that there was no answer.
#[cfg(feature = "e2e-full")]
#[test]
fn a_daemon_that_says_nothing() {
    let mut child = start(&[]);
    let stdin = child.stdin.take();
    let (told, took) = end(child);
    drop(stdin);
    assert!(told.contains("BuildKit does not answer") && took < Duration::from_secs(35), "{took:?}: {told}");
}

#[test]
fn options_that_are_no_text() {
    let bad = [
        b"build-arg:A=\xff\xfe".to_vec(),
        b"\xff=\xff".to_vec(),
        b"platform=\xff".to_vec(),
        Vec::new(),
        vec![b'x'; 100_000],
    ];
    for option in bad {
        let mut child = start(&[OsString::from_vec(option)]);
        drop(child.stdin.take());
        let (told, _) = end(child);
        assert!(told.starts_with("frontend: ") && !told.contains("panicked"), "{told}");
    }
}
