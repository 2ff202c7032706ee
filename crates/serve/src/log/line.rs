//! One line, in each of the formats; and the lines of a turn of an I/O thread.

use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::LogFormat;
use super::sink::Sink;
use crate::date::DATE_LEN;

/// Lines above this are handed over in the middle of a turn.
const MUCH: usize = 64 * 1024;

/// What is known of a request at its end.
pub(crate) struct Line<'l> {
    pub(crate) peer: IpAddr,
    /// `None` if its head was never whole.
    pub(crate) request: Option<Asked<'l>>,
    pub(crate) status: u16,
    /// Bytes of the body that were handed to the socket, with what delimits chunks and parts.
    pub(crate) body_bytes: u64,
    pub(crate) queue: Duration,
    pub(crate) handler: Duration,
    pub(crate) delivery: Duration,
    pub(crate) aborted: bool,
}

/// What the client said.
pub(crate) struct Asked<'l> {
    pub(crate) method: &'l str,
    pub(crate) target: &'l str,
    pub(crate) minor: u8,
    pub(crate) referer: Option<&'l [u8]>,
    pub(crate) agent: Option<&'l [u8]>,
}

/// The lines of one I/O thread.
pub(crate) struct Lines {
    format: LogFormat,
    sink: Arc<Sink>,
    bytes: Vec<u8>,
    count: u64,
}

impl Lines {
    pub(crate) fn new(format: LogFormat, sink: Arc<Sink>) -> Self {
        Self { format, sink, bytes: Vec::new(), count: 0 }
    }

    /// Appends a line for a request that ended at `date`.
    pub(crate) fn push(&mut self, line: &Line<'_>, date: &[u8; DATE_LEN]) {
        line.render(self.format, date, &mut self.bytes);
        self.count += 1;
        if self.bytes.len() > MUCH {
            self.hand_over();
        }
    }

    pub(crate) fn hand_over(&mut self) {
        if self.count > 0 {
            self.sink.push(&self.bytes, self.count);
            self.bytes.clear();
            self.count = 0;
        }
    }
}

impl Line<'_> {
    fn render(&self, format: LogFormat, date: &[u8; DATE_LEN], out: &mut Vec<u8>) {
        match format {
            LogFormat::Common => self.common(date, out),
            LogFormat::Combined => {
                self.common(date, out);
                let asked = self.request.as_ref();
                for value in [asked.and_then(|a| a.referer), asked.and_then(|a| a.agent)] {
                    out.extend_from_slice(b" \"");
                    escape(value.unwrap_or(b"-"), out);
                    out.push(b'"');
                }
            }
            LogFormat::Json => self.json(date, out),
        }
        out.push(b'\n');
    }

    fn common(&self, date: &[u8; DATE_LEN], out: &mut Vec<u8>) {
        put(out, format_args!("{} - - [", self.peer));
        // `Sun, 06 Nov 1994 08:49:37 GMT` becomes `06/Nov/1994:08:49:37 +0000`.
        for (part, after) in [(5..7, b'/'), (8..11, b'/'), (12..16, b':'), (17..25, b' ')] {
            out.extend_from_slice(&date[part]);
            out.push(after);
        }
        out.extend_from_slice(b"+0000] \"");
        match &self.request {
            Some(asked) => {
                escape(asked.method.as_bytes(), out);
                out.push(b' ');
                escape(asked.target.as_bytes(), out);
                put(out, format_args!(" HTTP/1.{}", asked.minor));
            }
            None => out.push(b'-'),
        }
        put(out, format_args!("\" {} {}", self.status, self.body_bytes));
    }

    fn json(&self, date: &[u8; DATE_LEN], out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        out.extend_from_slice(&date[12..16]);
        put(out, format_args!("-{:02}-", month(&date[8..11])));
        out.extend_from_slice(&date[5..7]);
        out.push(b'T');
        out.extend_from_slice(&date[17..25]);
        put(out, format_args!("Z\",\"peer\":\"{}\"", self.peer));
        if let Some(asked) = &self.request {
            let fields = [
                ("method", Some(asked.method.as_bytes())),
                ("target", Some(asked.target.as_bytes())),
                ("referer", asked.referer),
                ("user_agent", asked.agent),
            ];
            for (name, value) in fields {
                let Some(value) = value else { continue };
                put(out, format_args!(",\"{name}\":\""));
                escape_json(value, out);
                out.push(b'"');
            }
            put(out, format_args!(",\"version\":\"1.{}\"", asked.minor));
        }
        put(out, format_args!(",\"status\":{},\"bytes\":{}", self.status, self.body_bytes));
        let us = |time: Duration| time.as_micros();
        let (queue, handler, delivery) = (us(self.queue), us(self.handler), us(self.delivery));
        put(out, format_args!(",\"queue_us\":{queue},\"handler_us\":{handler}"));
        put(out, format_args!(",\"delivery_us\":{delivery},\"aborted\":{}}}", self.aborted));
    }
}

fn month(name: &[u8]) -> usize {
    const NAMES: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    NAMES.iter().position(|month| *month == name).map_or(0, |at| at + 1)
}

/// Quotes, backslashes, and all that is not printable ASCII become `\xHH`.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &b in text {
        if (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\' {
            out.push(b);
        } else {
            put(out, format_args!("\\x{b:02x}"));
        }
    }
}

/// As JSON wants it; controls of any kind are escaped, and what is not UTF-8 becomes U+FFFD.
fn escape_json(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
                c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => {
                    put(out, format_args!("\\u{:04x}", c as u32));
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &[u8; DATE_LEN] = b"Sun, 06 Nov 1994 08:49:37 GMT";

    fn render(request: Option<Asked<'_>>, format: LogFormat) -> String {
        let ms = Duration::from_millis;
        let peer = IpAddr::from([127, 0, 0, 1]);
        let (queue, handler, delivery) = (ms(1), ms(2), ms(3));
        let line = Line {
            peer,
            request,
            status: 200,
            body_bytes: 7,
            queue,
            handler,
            delivery,
            aborted: true,
        };
        let mut out = Vec::new();
        line.render(format, DATE, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn asked<'l>(target: &'l str, agent: &'l [u8]) -> Option<Asked<'l>> {
        Some(Asked { method: "GET", target, minor: 1, referer: None, agent: Some(agent) })
    }

    #[test]
    fn formats() {
        let common = "127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /a HTTP/1.1\" 200 7";
        assert_eq!(render(asked("/a", b"x"), LogFormat::Common), format!("{common}\n"));
        let combined = format!("{common} \"-\" \"x\"\n");
        assert_eq!(render(asked("/a", b"x"), LogFormat::Combined), combined);
        let json = "{\"time\":\"1994-11-06T08:49:37Z\",\"peer\":\"127.0.0.1\",\"method\":\"GET\",\
            \"target\":\"/a\",\"user_agent\":\"x\",\"version\":\"1.1\",\"status\":200,\"bytes\":7,\
            \"queue_us\":1000,\"handler_us\":2000,\"delivery_us\":3000,\"aborted\":true}\n";
        assert_eq!(render(asked("/a", b"x"), LogFormat::Json), json);
        let nothing = "127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"-\" 200 7 \"-\" \"-\"\n";
        assert_eq!(render(None, LogFormat::Combined), nothing);
    }

    #[test]
    fn no_request_makes_or_ends_a_line() {
        let agent = b"a\"b\\c\r\nd\x1b[31m\x7f\xff \xc2\x85\xe2\x80\xa8\xc3\xa9\0";
        let line = render(asked("/\u{e9}\"", agent), LogFormat::Combined);
        assert!(line.contains("/\\xc3\\xa9\\x22 HTTP/1.1"), "{line}");
        let escaped = r#""a\x22b\x5cc\x0d\x0ad\x1b[31m\x7f\xff \xc2\x85\xe2\x80\xa8\xc3\xa9\x00""#;
        assert!(line.ends_with(&format!("{escaped}\n")), "{line}");
        let line = render(asked("/", agent), LogFormat::Json);
        let escaped = r#""a\"b\\c\u000d\u000ad\u001b[31m\u007f\ufffd \u0085\u2028é\u0000""#;
        assert!(line.contains(escaped), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
    }
}
